#include "process/faults/feed_life.h"
#include "support/environment.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>

namespace leat::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitIoError = 74;
constexpr int kMostStarts = 4;
constexpr std::uint64_t kMostBehind = 10;
// Without any progress. Not a measure of speed: no step of a life takes a tenth of it.
constexpr seconds kHang{60};
std::atomic<bool> g_somebody_hangs{false};

std::vector<std::string> environment_of(const ScenarioOptions& options, const std::filesystem::path& plan) {
  const char* sanitizer = std::getenv("ASAN_OPTIONS");
  return {"LD_PRELOAD=" + options.shim, "LEAT_TEST_FAULTS=" + plan.string(),
          std::string("ASAN_OPTIONS=verify_asan_link_order=0:") + (sanitizer != nullptr ? sanitizer : "")};
}

std::uint64_t hash_of(const EventView& event) {
  const auto hash = [](std::string_view text) { return std::hash<std::string_view>{}(text); };
  return hash(event.payload) ^ hash(event.key) * 3 ^ hash(event.message_id) * 5 ^ event.producer_sequence * 7;
}

}  // namespace

FeedLife::FeedLife(const ScenarioOptions& options)
    : options_(options), broker_("faults"), checker_(options.seed, mix_) {
  const auto page = broker_.scratch() / "faults";
  plan_ = map_fault_plan(page.c_str(), true);
  if (plan_ == nullptr) {
    complain("cannot map " + page.string());
    return;
  }
  for (const std::string& entry : environment_of(options_, page)) broker_.set_environment(entry);
  broker_.set("--ring-bytes", "16K");
  broker_.set("--inbound-slots", "64");
  broker_.set("--arena-bytes", "8K");
  broker_.set("--max-event-bytes", "2K");
  broker_.set("--segment-bytes", "16K");
  broker_.set("--retain-bytes", "48K");
  broker_.set("--cursor-hold-bytes", "64M");
  broker_.set("--sync", options_.seed % 2 == 0 ? "interval" : "always");
  broker_.set("--sync-interval-ms", "1");
  plan_->error.store(options_.fault.error);
  plan_->first.store(options_.fault.first);
  plan_->times.store(options_.fault.times);
  plan_->call.store(options_.fault.call);
  checker_.expect_sequence(1);
  content_.push_back(0);
  watchdog_ = std::thread([this] { watch(); });
}

FeedLife::~FeedLife() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  if (watchdog_.joinable()) watchdog_.join();
  if (plan_ != nullptr) ::munmap(plan_, sizeof *plan_);
}

// Kills every leatd again and again, so that all loops here come to their end.
void FeedLife::watch() {
  std::unique_lock lock(mutex_);
  std::uint64_t before = 0;
  do {
    before = progress_.load();
    if (ended_.wait_for(lock, kHang, [this] { return end_; })) return;
  } while (progress_.load() != before);
  hangs_.store(true);
  g_somebody_hangs.store(true);
  do kill_all_children();
  while (!ended_.wait_for(lock, milliseconds(20), [this] { return end_; }));
}

bool FeedLife::hangs() {
  if (!g_somebody_hangs.load()) return false;
  complain(hangs_.load() ? "it hangs" : "given up, as another one hangs");
  return true;
}

void FeedLife::complain(const std::string& what) { outcome_.wrong.push_back(what); }

void FeedLife::judge_end(int status, const char* when) {
  const std::string said = broker_.log().substr(log_read_);
  log_read_ = broker_.log().size();
  const std::string end = std::string("leatd ended with status ") + std::to_string(status) + " " + when;
  if (hangs()) return;
  if (plan_->hits.load() == hits_before_) return complain(end + ", without any fault in this life:\n" + said);
  if (status != kExitFailed && status != kExitIoError) return complain(end + ":\n" + said);
  const auto at = said.find("[critical]");
  if (at == std::string::npos) return complain(end + " and did not say why:\n" + said);
  const std::string line = said.substr(at, said.find('\n', at) - at);
  const bool named = options_.fault.error == kShortCount ||
                     said.find("(errno " + std::to_string(options_.fault.error) + ")") != std::string::npos;
  if (!named) complain(end + " and did not name the errno:\n" + said);
  if (line.find("; ") == std::string::npos) complain(end + " and did not say what to do:\n" + line);
}

void FeedLife::start() {
  for (int attempt = 0; !over(); ++attempt) {
    hits_before_ = plan_->hits.load();
    const auto started = broker_.start();
    ++progress_;
    if (started.ok()) return;
    ++outcome_.failed_starts;
    judge_end(broker_.wait(), "when it started");
    if (attempt == kMostStarts) complain("it does not start any more");
  }
}

// Called wherever something did not work.
void FeedLife::revive() {
  if (over()) return;
  if (hangs()) return;
  if (broker_.running()) {
    std::this_thread::sleep_for(milliseconds(1));
    return;
  }
  ++outcome_.ended;
  judge_end(broker_.wait(), "while it served");
  start();
}

// The feed has stopped accepting: it says so to whoever asks, readers go on, and a restart repairs it.
void FeedLife::after_failure() {
  if (over()) return;
  ++outcome_.feed_failures;
  if (!hit()) return complain("the feed has failed without any fault");
  if (broker_.running()) {
    if (auto observer = FeedObserver::connect(broker_.address()); observer.ok()) {
      const auto seen = observer->read();  // readers go on
      if (seen.ok() && seen->state != "failed") complain("the feed has failed, its state is '" + seen->state + "'");
      while (seen.ok() && !over() && !hangs() && checker_.count() < seen->latest_sequence) take_events(milliseconds(5));
    }
    if (broker_.log().find("the feed stops accepting") == std::string::npos) complain("the log does not say so");
    if (const int status = broker_.terminate(); status != kExitFailed) {
      complain("a failed feed ended with status " + std::to_string(status));
    }
    log_read_ = broker_.log().size();
  }
  start();
}

void FeedLife::insist(const char* what, const std::function<Result<void>()>& attempt) {
  while (!over()) {
    const auto done = attempt();
    if (done.ok()) {
      ++progress_;
      return;
    }
    // A busy disk may take longer than one attempt waits; a hang is noticed by itself.
    const bool late = done.error().code == ErrorCode::timed_out || done.error().code == ErrorCode::pending;
    if (!hit() && !hangs() && late && broker_.running()) continue;
    // Of a named cursor: the broker has yet to see that the consumer before has left.
    if (!hit() && !hangs() && done.error().code != ErrorCode::busy)
      complain(std::string(what) + ": " + done.error().message);
    if (done.error().code == ErrorCode::revoked) complain(std::string(what) + ": " + done.error().message);
    if (done.error().code == ErrorCode::feed_failed) {
      after_failure();
    } else {
      revive();
    }
  }
}

void FeedLife::connect() {
  insist("connecting a consumer", [&]() -> Result<void> {
    auto consumer =
        Consumer::connect({.address = broker_.address(), .start = Start::earliest(), .allow_offline = false});
    if (!consumer) return consumer.error();
    consumer_.emplace(std::move(*consumer));
    return {};
  });
  insist("connecting a producer", [&]() -> Result<void> {
    auto producer = Producer::connect({.address = broker_.address(), .publish_timeout = milliseconds(500)});
    if (!producer) return producer.error();
    producer_.emplace(std::move(*producer));
    return {};
  });
}

void FeedLife::check_content(const EventView& event, const char* who) {
  if (event.sequence == 0 || event.sequence >= content_.size() || content_[event.sequence] != hash_of(event)) {
    complain(std::string(who) + ": sequence " + std::to_string(event.sequence) + " has another content than before");
  }
}

void FeedLife::take_events(milliseconds patience) {
  EventView event;
  while (!over() && consumer_) {
    switch (consumer_->wait(event, patience)) {
      case Poll::event:
        if (!checker_.take(event)) return complain(checker_.error());
        content_.push_back(hash_of(event));
        ++progress_;
        break;
      case Poll::reset: return complain("the consumer was reset: " + consumer_->last_reset().to_string());
      case Poll::error:
        if (!hit()) complain("the consumer: " + consumer_->last_error().message);
        return revive();
      case Poll::empty: return;
    }
  }
}

void FeedLife::publish(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const Event event = generated_.make(options_.seed, 0, published_, mix_);
    insist("publishing", [&]() -> Result<void> {
      auto receipt = producer_->publish(event);
      if (!receipt) return receipt.error();
      last_receipt_ = *receipt;
      return {};
    });
    if (over()) return;
    ++published_;
    ++accepted_;
    take_events();
    if (!broker_.running()) revive();
    // The consumer stays within what is retained: its named cursor may not be on disk yet.
    if (published_ % kMostBehind == 0) drain_all();
  }
}

void FeedLife::wait_durable() {
  insist("waiting for durable", [&]() -> Result<void> {
    auto sequence = producer_->wait(*last_receipt_, Ack::durable, milliseconds(500));
    if (!sequence) {
      if (sequence.error().code == ErrorCode::closed)
        complain("an accepted event was given up: " + sequence.error().message);
      return sequence.error();
    }
    if (*sequence > accepted_) complain("sequence " + std::to_string(*sequence) + " of " + std::to_string(accepted_));
    return {};
  });
  drain_all();
}

void FeedLife::drain_all() {
  while (!over() && checker_.count() < accepted_ && !hangs()) {
    const std::uint64_t before = checker_.count();
    take_events(milliseconds(5));
    if (!broker_.running()) revive();
    if (hit() && checker_.count() == before && has_failed()) after_failure();
  }
}

bool FeedLife::has_failed() {
  auto observer = FeedObserver::connect(broker_.address());
  if (!observer) return false;
  const auto status = observer->read();
  return status.ok() && status->state == "failed";
}

void FeedLife::read_status() {
  insist("observing", [&]() -> Result<void> {
    auto observer = FeedObserver::connect(broker_.address());
    if (!observer) return observer.error();
    auto status = observer->read();
    if (!status) return status.error();
    if (status->latest_sequence != accepted_)
      complain("the status page counts " + std::to_string(status->latest_sequence));
    if (!hit() && (status->recycled_segments == 0 || status->earliest_sequence == 1)) {
      complain("this life has seen no recycling and no pruning");
    }
    return {};
  });
}

void FeedLife::kill_and_publish(std::uint64_t count) {
  if (over()) return;
  broker_.kill9();
  log_read_ = broker_.log().size();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto receipt = producer_->publish(generated_.make(options_.seed, 0, published_, mix_));
    if (!receipt) return complain("publishing without a broker: " + receipt.error().message);
    last_receipt_ = *receipt;
    ++published_;
    ++accepted_;
  }
}

void FeedLife::visitor() {
  constexpr std::uint64_t kEvents = 3;
  std::optional<Producer> other;
  insist("connecting a second producer", [&]() -> Result<void> {
    auto producer = Producer::connect({.address = broker_.address(), .publish_timeout = milliseconds(500)});
    if (!producer) return producer.error();
    other.emplace(std::move(*producer));
    return {};
  });
  for (std::uint64_t number = 0; number < kEvents && !over(); ++number) {
    insist("publishing from a second producer", [&]() -> Result<void> {
      auto receipt = other->publish(generated_.make(options_.seed, 1, number, mix_));
      return receipt ? Result<void>{} : Result<void>(receipt.error());
    });
    ++accepted_;
  }
}

}  // namespace leat::test
