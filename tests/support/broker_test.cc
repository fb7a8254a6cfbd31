#include "support/broker_test.h"

#include <cstdio>
#include <stdexcept>
#include <thread>

namespace leat::test {

void BrokerTest::SetUp() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(test_seed()));
  watchdog_ = std::make_unique<Watchdog>(std::string(info->test_suite_name()) + "." + info->name(), time_limit());
  broker_ = std::make_unique<BrokerProcess>(info->test_suite_name());
  page_ = std::make_unique<SharedPage>(broker_->scratch() / "page");
}

void BrokerTest::TearDown() {
  if (clean_stop_ && !watchdog_->fired() && broker_->running()) {
    EXPECT_EQ(broker_->terminate(), 0) << "the broker did not stop cleanly";
  }
  broker_->kill9();
  for (const std::string& line : broker_->unexpected_log_lines()) ADD_FAILURE() << "unexpected in the log: " << line;
  if (watchdog_->fired()) ADD_FAILURE() << "the watchdog had to end this test";
  watchdog_.reset();
  if (HasFailure()) {
    broker_->keep_files();
    std::fprintf(stderr, "kept: %s\n", broker_->where().c_str());
    const std::string output = helper_output();
    if (!output.empty()) std::fprintf(stderr, "--- helpers ---\n%s", output.c_str());
    const std::string log = broker_->log();
    constexpr std::size_t kTail = 4000;
    std::fprintf(stderr, "--- leatd ---\n%s", log.substr(log.size() > kTail ? log.size() - kTail : 0).c_str());
  }
  page_.reset();
  broker_.reset();
}

void BrokerTest::start() {
  const auto started = broker_->start();
  if (!started) throw std::runtime_error(started.error().message);
}

void BrokerTest::wait_for_log(const std::string& text) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (broker_->log().find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > give_up) {
      ADD_FAILURE() << "no '" << text << "' in the log of leatd:\n" << broker_->log();
      return;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

Producer BrokerTest::connect_producer(std::size_t arena_bytes) {
  auto producer = Producer::connect({.address = broker_->address(), .arena_bytes = arena_bytes});
  if (!producer) throw std::runtime_error("producer: " + producer.error().message);
  return std::move(*producer);
}

Consumer BrokerTest::connect_consumer(Start from) {
  auto consumer = Consumer::connect({.address = broker_->address(), .start = from});
  if (!consumer) throw std::runtime_error("consumer: " + consumer.error().message);
  return std::move(*consumer);
}

FeedStatus BrokerTest::status() {
  auto observer = FeedObserver::connect(broker_->address());
  if (!observer) throw std::runtime_error("observer: " + observer.error().message);
  auto status = observer->read();
  if (!status) throw std::runtime_error("observer: " + status.error().message);
  return std::move(*status);
}

ChildProcess BrokerTest::start_helper(const std::string& helper, std::vector<std::string> arguments,
                                      std::vector<std::string> environment, std::optional<uid_t> user) {
  std::vector<std::string> words = {own_executable(),
                                    "--helper",
                                    helper,
                                    "feed=" + broker_->address().feed,
                                    "runtime=" + broker_->address().runtime_dir,
                                    "data=" + broker_->address().data_dir,
                                    "page=" + page_->path().string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return ChildProcess({.arguments = std::move(words),
                       .environment = std::move(environment),
                       .output = (broker_->scratch() / "helpers.log").string(),
                       .user = user});
}

std::string BrokerTest::helper_output() const { return read_file(broker_->scratch() / "helpers.log"); }

EventView take_event(Consumer& consumer) {
  EventView event;
  const Poll found = consumer.wait(event, kPatience);
  if (found == Poll::error) throw std::runtime_error("consumer: " + consumer.last_error().message);
  if (found == Poll::reset) throw std::runtime_error("consumer: " + consumer.last_reset().to_string());
  if (found == Poll::empty) throw std::runtime_error("consumer: no event came");
  return event;
}

}  // namespace leat::test
