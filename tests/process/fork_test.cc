// Handles over fork(): a child never speaks for its parent, and is told so by every call.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <leat/leat.h>

#include "process/load.h"
#include "support/helper_main.h"

// A child that exits in the middle leaks what stands on its stack, and on that of its parent: no leak checker asks it.
static bool leaks_are_meant = false;
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return leaks_are_meant ? 1 : 0; }

namespace leat::test {
namespace {

constexpr std::uint64_t kAfterFork = 500;

// Of static storage, as in a server that forks its workers: exit() destroys them in a child, too.
std::optional<Producer> static_producer;
std::optional<FeedObserver> static_observer;

[[noreturn]] void complain(const char* what, const std::string& why) {
  std::fprintf(stderr, "forker: %s: %s\n", what, why.c_str());
  std::_Exit(3);
}

void expect(bool right, const char* what, const std::string& found) {
  if (!right) complain(what, found);
}

template <typename T>
void expect_used_after_fork(const char* what, const Result<T>& result) {
  expect(!result && result.error().code == ErrorCode::used_after_fork, what, result ? "ok" : result.error().message);
}

void expect_used_after_fork(const char* what, Publish outcome) {
  expect(outcome == Publish::used_after_fork, what, std::string(to_string(outcome)));
}

// Every call of a producer, and of an observer, in a child.
void use_all(const Receipt& old) {
  Producer& producer = *static_producer;
  const Event event{.topic = "child", .payload = "never"};
  const std::vector<Event> batch(3, event);
  Receipt receipt;
  std::span<std::byte> room;
  for (int i = 0; i < 3; ++i) {
    expect_used_after_fork("try_publish", producer.try_publish(event, &receipt));
    expect_used_after_fork("a bad topic", producer.try_publish({.topic = ".."}, &receipt));
    expect_used_after_fork("an ephemeral event", producer.try_publish({.topic = "t", .durable = false}, &receipt));
    expect_used_after_fork("try_publish_batch", producer.try_publish_batch(batch, &receipt));
    expect_used_after_fork("an empty batch", producer.try_publish_batch({}, &receipt));
    expect_used_after_fork("claim", producer.claim(event, 10, room));
    expect_used_after_fork("commit", producer.commit(&receipt));
    producer.abandon();
    expect_used_after_fork("publish", producer.publish(event));
    expect_used_after_fork("publish with a key", producer.publish(event, "k"));
    expect_used_after_fork("publish_batch", producer.publish_batch(batch));
    expect_used_after_fork("publish_and_wait", producer.publish_and_wait(event, Ack::durable, seconds(30), &receipt));
    for (const Ack level : {Ack::accepted, Ack::committed, Ack::durable}) {
      expect_used_after_fork("wait", producer.wait(old, level, seconds(30)));
      expect_used_after_fork("flush", producer.flush(level, seconds(30)));
    }
    expect_used_after_fork("observe", static_observer->read());
  }
  (void)producer.producer_id();
  (void)producer.last_producer_sequence();
  (void)producer.max_event_bytes();
  (void)producer.arena_bytes();
  (void)producer.refused_count();
  (void)producer.refused_after_accept();
  (void)producer.lost_count();
}

// How a child may come to its end, having done something or nothing with what it inherited.
const std::map<std::string, std::function<void(const HelperArguments&, const Receipt&)>>& ways() {
  static const std::map<std::string, std::function<void(const HelperArguments&, const Receipt&)>> all = {
      {"exit", [](auto&, auto&) { std::exit(0); }},
      {"_exit", [](auto&, auto&) { ::_exit(0); }},
      {"quick_exit", [](auto&, auto&) { std::quick_exit(0); }},
      {"return", [](auto&, auto&) {}},  // from main
      {"abort",
       [](auto&, auto&) {
         ::signal(SIGABRT, SIG_DFL);
         std::abort();
       }},
      {"exec", [](auto&, auto&) { ::execl("/bin/true", "true", nullptr); }},
      {"use",
       [](auto&, const Receipt& old) {
         use_all(old);
         std::exit(0);
       }},
      {"destroy",
       [](auto&, auto&) {
         static_producer.reset();
         static_observer.reset();
         ::_exit(0);
       }},
      {"move away",
       [](auto&, auto&) {
         { const Producer taken = std::move(*static_producer); }
         ::_exit(0);
       }},
      {"assign",
       [](const HelperArguments& arguments, const Receipt& old) {
         auto fresh = Producer::connect({.address = arguments.address()});
         auto observer = FeedObserver::connect(arguments.address());
         if (!fresh || !observer) complain("connect anew", fresh ? observer.error().message : fresh.error().message);
         *static_producer = std::move(*fresh);
         *static_observer = std::move(*observer);
         const auto sent = static_producer->publish_and_wait({.topic = "child"}, Ack::committed, kPatience);
         if (!sent) complain("publish in the child", sent.error().message);
         const auto wrong = static_producer->wait(old, Ack::committed, kPatience);
         expect(!wrong && wrong.error().code == ErrorCode::invalid_argument, "the parent's receipt", "taken");
         if (!static_observer->read()) complain("observe in the child", "");
         std::exit(0);
       }},
      {"threads",
       [](auto&, const Receipt& old) {
         std::thread([&] { use_all(old); }).join();
         std::exit(0);
       }},
      {"fork again",
       [](auto&, const Receipt& old) {
         const pid_t grandchild = ::fork();
         if (grandchild == 0) {
           use_all(old);
           std::exit(0);
         }
         int status = 0;
         ::waitpid(grandchild, &status, 0);
         std::exit(status == 0 ? 0 : 4);
       }},
  };
  return all;
}

// Returns in the child too, where `way` says so: true there.
bool fork_child(const HelperArguments& arguments, const std::string& way, const Receipt& old) {
  const pid_t child = ::fork();
  if (child == 0) {
    leaks_are_meant = true;
    ways().at(way)(arguments, old);
    return true;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const bool as_meant = way == "abort" ? WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT : status == 0;
  if (!as_meant) complain(way.c_str(), "the child ended with status " + std::to_string(status));
  return false;
}

// way, claim (1: one is open meanwhile), thread (1: a thread other than the first forks)
int run_forker(const HelperArguments& arguments) {
  auto producer = Producer::connect({.address = arguments.address()});
  auto observer = FeedObserver::connect(arguments.address());
  if (!producer || !observer) complain("connect", producer ? observer.error().message : producer.error().message);
  static_producer.emplace(std::move(*producer));
  static_observer.emplace(std::move(*observer));
  Receipt old;
  if (!static_producer->publish_and_wait({.topic = "t"}, Ack::committed, kPatience, &old))
    complain("publish", "before");
  std::span<std::byte> room;
  const bool claimed = arguments.number("claim") == 1;
  if (claimed && static_producer->claim({.topic = "claimed"}, 8, room) != Publish::ok) complain("claim", "");
  const std::string way = arguments.text("way");
  bool is_child = false;
  if (arguments.number("thread") == 1) {
    std::thread([&] {
      is_child = fork_child(arguments, way, old);
      if (is_child) std::exit(0);
    }).join();
  } else {
    is_child = fork_child(arguments, way, old);
  }
  if (is_child) return 0;
  if (claimed) {
    std::memcpy(room.data(), "the room", room.size());
    if (static_producer->commit() != Publish::ok) complain("commit", "after the fork");
  }
  Receipt last;
  for (std::uint64_t i = 0; i < kAfterFork; ++i) {
    const Publish outcome = static_producer->try_publish({.topic = "t", .payload = "after"}, &last);
    if (outcome != Publish::ok) complain("try_publish after the fork", std::string(to_string(outcome)));
  }
  const auto sequence = static_producer->wait(last, Ack::committed, kPatience);
  if (!sequence) complain("wait after the fork", sequence.error().message);
  if (!static_observer->read()) complain("observe after the fork", "");
  return 0;
}
const HelperRegistration kForker("forker", &run_forker);

class Fork : public BrokerTest {
 protected:
  void check(const std::string& way, bool claim, bool thread) {
#ifdef __SANITIZE_THREAD__
    if (thread && way == "threads")
      return;  // ThreadSanitizer lets no thread start in the child of a program with threads
#endif
    SCOPED_TRACE(way + (claim ? ", a claim is open" : "") + (thread ? ", from a thread" : ""));
    const std::uint64_t before = status().latest_sequence;
    ChildProcess forker =
        start_helper("forker", {"way=" + way, claim ? "claim=1" : "claim=0", thread ? "thread=1" : "thread=0"});
    ASSERT_EQ(forker.wait(), 0) << helper_output();
    const std::uint64_t own = 1 + kAfterFork + (claim ? 1 : 0) + (way == "assign" ? 1 : 0);
    const FeedStatus after = status();
    EXPECT_EQ(after.latest_sequence, before + own) << "events of the parent are gone";
    EXPECT_EQ(after.bad_tickets, 0U);
    EXPECT_EQ(after.refused_entries, 0U);
  }
};

TEST_F(Fork, AChildEndsOrUsesItsParentsHandlesInAnyWayAndTheParentGoesOn) {
  start();
  for (const auto& [way, run] : ways()) {
    for (const bool thread : {false, true}) check(way, false, thread);
    check(way, true, false);
  }
  // Nobody is left: neither parents nor children hold a slot.
  while (!status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
}

// The parent's connection is open in the child: when the broker goes, the child must not be the one who registers
// again.
TEST_F(Fork, AChildNeverRegistersForItsParentWithTheNextBroker) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  broker_->kill9();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool right = true;
    for (int i = 0; i < 300; ++i) {
      right = right && producer.try_publish({.topic = "child"}) == Publish::used_after_fork;
      right = right && !producer.flush(Ack::committed, milliseconds(1)).ok();
      ::usleep(1000);
    }
    ::_exit(right ? 0 : 1);
  }
  start();
  int status_of_child = 0;
  ASSERT_EQ(::waitpid(child, &status_of_child, 0), child);
  EXPECT_EQ(status_of_child, 0);
  EXPECT_EQ(status().producers.at(0).state, "adopted") << "somebody has shown the parent's token";
  EXPECT_EQ(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).value(), 2U);
}

}  // namespace
}  // namespace leat::test
