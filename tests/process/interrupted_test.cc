// Every time-out is a moment, not a length that begins anew with each signal: a timer ticks faster than any of them.
#include <sys/time.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <functional>
#include <string>

#include <leat/leat.h>

#include "support/helper_main.h"
#include "support/broker_test.h"
#include "process/load.h"

namespace leat::test {
namespace {

void tick(int) {}

void start_ticking(bool restart) {
  struct sigaction action {};
  action.sa_handler = tick;
  action.sa_flags = restart ? SA_RESTART : 0;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval every{.it_interval = {0, 10'000}, .it_value = {0, 10'000}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
}

template <typename T>
std::string outcome_of(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(error_name(result.error().code));
}
std::string outcome_of(Poll found) { return found == Poll::empty ? "empty" : "not empty"; }

struct Handles {
  Producer producer;
  Consumer consumer;
  FeedObserver observer;
  Receipt receipt;
};

using Call = std::function<std::string(const FeedAddress&, Handles&)>;
constexpr auto kShort = milliseconds(300);

// Calls that wait for a broker which stands still, or away.
const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> all = {
      {"Producer::connect",
       [](auto& address, auto&) {
         return outcome_of(Producer::connect({.address = address, .connect_timeout = kShort}));
       }},
      {"Consumer::connect",
       [](auto& address, auto&) {
         return outcome_of(Consumer::connect({.address = address, .connect_timeout = kShort}));
       }},
      {"FeedObserver::read", [](auto&, Handles& handles) { return outcome_of(handles.observer.read()); }},
      {"save_cursor", [](auto&, Handles& handles) { return outcome_of(handles.consumer.save_cursor()); }},
      {"Consumer::wait",
       [](auto&, Handles& handles) {
         EventView event;
         while (handles.consumer.poll(event) == Poll::event) {
         }
         return outcome_of(handles.consumer.wait(event, kShort));
       }},
      {"Producer::wait",
       [](auto&, Handles& handles) {
         return outcome_of(handles.producer.wait(handles.receipt, Ack::committed, kShort));
       }},
      {"flush", [](auto&, Handles& handles) { return outcome_of(handles.producer.flush(Ack::durable, kShort)); }},
      {"publish",
       [](auto&, Handles& handles) {  // into a full arena
         Result<Receipt> sent = Receipt{};
         while ((sent = handles.producer.publish({.topic = "t"})).ok()) {
         }
         return outcome_of(sent);
       }},
      {"publish_and_wait",
       [](auto&, Handles& handles) {
         return outcome_of(handles.producer.publish_and_wait({.topic = "t"}, Ack::durable, kShort));
       }},
  };
  return all;
}

// call, restart
int run_interrupted(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const FeedAddress address = arguments.address();
  auto producer = Producer::connect({.address = address, .arena_bytes = 4096, .publish_timeout = kShort});
  auto consumer = Consumer::connect({.address = address, .cursor_name = "c" + arguments.text("restart")});
  auto observer = FeedObserver::connect(address);
  if (!producer || !consumer || !observer) return 1;
  Handles handles{std::move(*producer), std::move(*consumer), std::move(*observer), {}};
  page[kReadyWord].store(1);
  page.wait_for(kGoWord, 1);
  handles.receipt = handles.producer.publish({.topic = "t"}).value();
  start_ticking(arguments.number("restart") == 1);
  const std::string outcome = calls().at(arguments.text("call"))(address, handles);
  std::fprintf(stderr, "%s: %s\n", arguments.text("call").c_str(), outcome.c_str());
  return 0;
}
const HelperRegistration kInterrupted("interrupted", &run_interrupted);

class Interrupted : public BrokerTest {
 protected:
  void check(const std::string& call, bool restart, const std::string& outcome) {
    SCOPED_TRACE(call + (restart ? " with SA_RESTART" : ""));
    (*page_)[kReadyWord].store(0);
    (*page_)[kGoWord].store(0);
    ChildProcess helper = start_helper("interrupted", {"call=" + call, restart ? "restart=1" : "restart=0"});
    page_->wait_for(kReadyWord, 1);
    broker_->stop();
    (*page_)[kGoWord].store(1);
    EXPECT_EQ(helper.wait(), 0) << helper_output();  // a hang is ended by the watchdog
    broker_->cont();
    EXPECT_NE(helper_output().find(call + ": " + outcome + "\n"), std::string::npos) << helper_output();
  }
};

TEST_F(Interrupted, NoCallWaitsLongerBecauseATimerTicks) {
  start();
  for (const bool restart : {false, true}) {
    check("Producer::connect", restart, "timed_out");
    check("Consumer::connect", restart, "timed_out");
    check("FeedObserver::read", restart, "timed_out");
    check("save_cursor", restart, "timed_out");
    check("Consumer::wait", restart, "empty");
    check("Producer::wait", restart, "pending");
    check("flush", restart, "pending");
    check("publish", restart, "timed_out");
    check("publish_and_wait", restart, "pending");
  }
}

}  // namespace
}  // namespace leat::test
