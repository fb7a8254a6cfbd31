// Clocks that step, syncs that fail, descriptors that run out.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "process/load.h"
#include "support/environment.h"
#include "support/fault_plan.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

// What a process needs in its environment to run with one of the shims.
std::vector<std::string> preload(const char* shim, const std::string& variable, const fs::path& page) {
  const char* options = std::getenv("ASAN_OPTIONS");
  return {std::string("LD_PRELOAD=") + shim, variable + "=" + page.string(),
          std::string("ASAN_OPTIONS=verify_asan_link_order=0:") + (options != nullptr ? options : "")};
}

class ClockStep : public LoadTest {
 protected:
  static constexpr std::int64_t kHourNs = 3600LL * 1'000'000'000;

  void SetUp() override {
    LoadTest::SetUp();
    clock_ = std::make_unique<SharedPage>(broker_->scratch() / "clock");
    environment_ = preload(LEAT_TEST_CLOCK_SHIM, "LEAT_TEST_CLOCK", clock_->path());
    for (const std::string& entry : environment_) broker_->set_environment(entry);
    // Were ages measured with the wall clock, a step of an hour would prune all but the current segment.
    broker_->set("--retain-seconds", "600");
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
    start();
    add_consumer();  // it checks that time stamps never decrease, among all else
    for (int i = 0; i < 3; ++i) add_producer({}, environment_);
    wait_until_connected();
  }
  void TearDown() override {
    clock_.reset();
    LoadTest::TearDown();
  }
  void step_to(std::int64_t offset_ns) { (*clock_)[0].store(static_cast<std::uint64_t>(offset_ns)); }
  std::int64_t newest_timestamp() {
    Consumer consumer = connect_consumer(Start::latest());
    return take_event(consumer).timestamp_ns;
  }

  std::unique_ptr<SharedPage> clock_;
  std::vector<std::string> environment_;
};

TEST_F(ClockStep, ForwardsAndBackwardsDisturbsNothingAndTimeStampsNeverDecrease) {
  const std::int64_t begun = newest_timestamp();
  for (const std::int64_t offset_ns : {kHourNs, std::int64_t{0}, -kHourNs, kHourNs}) {
    wait_for_accepted(accepted() + scaled(2000));
    step_to(offset_ns);
    wait_for_accepted(accepted() + scaled(2000));
  }
  EXPECT_GE(newest_timestamp(), begun + kHourNs) << "the shim does not work";
  step_to(-kHourNs);
  // A restart, too, carries on with the newest time that the journal holds.
  const std::int64_t before = newest_timestamp();
  broker_->kill9();
  start();
  EXPECT_GE(newest_timestamp(), before);
  finish_producers();
  finish_consumers();
  EXPECT_EQ(status().earliest_sequence, 1U) << "a step of the clock has pruned segments";
  EXPECT_EQ(status().pruned_segments + status().recycled_segments, 0U);
  check_journal();
}

class FailingCall : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    const fs::path page = broker_->scratch() / "faults";
    plan_ = map_fault_plan(page.c_str(), true);
    ASSERT_NE(plan_, nullptr);
    plan_->times.store(~0ULL);
    for (const std::string& entry : preload(LEAT_TEST_FAULT_SHIM, "LEAT_TEST_FAULTS", page)) {
      broker_->set_environment(entry);
    }
  }
  void TearDown() override {
    ::munmap(plan_, sizeof *plan_);
    LoadTest::TearDown();
  }
  // From here on, until it is told otherwise.
  void fail(Call call, int error) {
    plan_->error.store(error);
    plan_->call.store(call);
  }

  FaultPlan* plan_ = nullptr;
};

class FailingSync : public FailingCall {
 protected:
  void fail_sync(bool fails) { fail(fails ? Call::fdatasync : Call::none, EIO); }
};

TEST_F(FailingSync, StopsTheFeedForGoodButNotItsReadersAndWhatWasDurableIsThereAfterwards) {
  for (const char* policy : {"interval", "always"}) {
    SCOPED_TRACE(policy);
    broker_->set("--sync", policy);
    broker_->expect_log("the feed stops accepting: fdatasync of ");
    start();
    const std::uint64_t already = status().latest_sequence;
    Producer producer = connect_producer();
    for (std::uint64_t i = 1; i <= 10; ++i) {
      ASSERT_EQ(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), already + i);
    }
    fail_sync(true);
    // Never durable: whoever waits for that is told. Committed, unless the sync of the last mark has failed before it.
    expect_error(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience), ErrorCode::feed_failed, {"log"});
    expect_error(producer.publish({.topic = "t"}), ErrorCode::feed_failed, {"takes nothing any more"});
    EXPECT_EQ(producer.try_publish({.topic = "t"}), Publish::feed_failed);
    expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::feed_failed, {"restart leatd"});
    // A disk that seems to work again is not believed.
    fail_sync(false);
    EXPECT_EQ(producer.try_publish({.topic = "t"}), Publish::feed_failed);
    EXPECT_EQ(status().state, "failed");
    EXPECT_EQ(status().durable_sequence, already + 10);
    Consumer consumer = connect_consumer(Start::at(already + 1));
    const std::uint64_t committed = status().latest_sequence;
    EXPECT_GE(committed, already + 10);
    for (std::uint64_t next = already + 1; next <= committed; ++next) EXPECT_EQ(take_event(consumer).sequence, next);
    wait_for_log("repair the disk, then restart leatd");
    EXPECT_EQ(broker_->terminate(), 1);

    start();
    Consumer after = connect_consumer(Start::at(already + 1));
    for (std::uint64_t i = 1; i <= 10; ++i) EXPECT_EQ(take_event(after).sequence, already + i);
    // The producer lives through all of it.
    const auto sequence = producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience);
    ASSERT_TRUE(sequence.ok()) << sequence.error().message;
    EXPECT_GT(*sequence, already + 10);
    ASSERT_EQ(broker_->terminate(), 0);
  }
}

TEST_F(FailingSync, AtTheStartIsAFailedStart) {
  fail_sync(true);
  broker_->expect_log("syncing ");
  broker_->expect_log("(errno 5)");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log("Input/output error");
}

TEST_F(FailingSync, WhenStoppingIsAFailedStop) {
  expect_no_clean_stop();
  broker_->set("--sync", "none");
  start();
  ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  fail_sync(true);
  broker_->expect_log("fdatasync");
  EXPECT_EQ(broker_->terminate(), 1);
}

class FailingName : public FailingCall {
 protected:
  void SetUp() override {
    FailingCall::SetUp();
    if (sanitized()) GTEST_SKIP() << "the shim stands between the program and the sanitizer's own interceptors";
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
    broker_->expect_log("the next segment cannot be named");
    start();
    producer_.emplace(connect_producer());
    consumer_.emplace(connect_consumer(Start::earliest()));
  }
  // Until the current segment, and then the arena, is full.
  void publish_until_held_back() {
    fail(Call::rename, ENOSPC);
    for (Publish outcome = Publish::ok; outcome != Publish::would_block || status().state != "stalled";) {
      outcome = producer_->try_publish({.topic = "t", .payload = payload_});
      ASSERT_TRUE(outcome == Publish::ok || outcome == Publish::would_block) << to_string(outcome);
      accepted_ += outcome == Publish::ok ? 1 : 0;
    }
  }
  void expect_delivered(std::uint64_t until) {
    while (delivered_ < until) ASSERT_EQ(take_event(*consumer_).sequence, ++delivered_);
  }

  const std::string payload_ = std::string(1000, 'p');
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  std::uint64_t accepted_ = 0;
  std::uint64_t delivered_ = 0;
};

// The new name may need a block of the directory: no other call meets a full disk there.
TEST_F(FailingName, OfASegmentForWantOfRoomHoldsProducersBackUntilThereIsSome) {
  for (int round = 1; round <= 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(publish_until_held_back());
    const std::uint64_t before = plan_->hits.load();
    while (plan_->hits.load() == before) std::this_thread::sleep_for(milliseconds(1));  // it is tried again
    ASSERT_NO_FATAL_FAILURE(expect_delivered(status().latest_sequence)) << "readers go on";
    EXPECT_LT(delivered_, accepted_);
    fail(Call::none, 0);
    ASSERT_NO_FATAL_FAILURE(expect_delivered(accepted_));
    EXPECT_EQ(status().state, "running");
    EXPECT_EQ(producer_->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), ++accepted_);
  }
  EXPECT_EQ(broker_->log().find("the feed stops accepting"), std::string::npos);
}

// The old segment has its end by then, and no other comes after it.
TEST_F(FailingName, OfASegmentLosesNothingWhenTheBrokerIsKilledMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(publish_until_held_back());
  broker_->kill9();
  fail(Call::none, 0);
  start();
  ASSERT_NO_FATAL_FAILURE(expect_delivered(accepted_));
  EXPECT_EQ(producer_->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), ++accepted_);
}

class NoDescriptors : public BrokerTest {
 protected:
  void set_limit(rlim_t count) {
    const rlimit limit{.rlim_cur = count, .rlim_max = kEnough};
    ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  }
  static constexpr rlim_t kEnough = 1024;
};

TEST_F(NoDescriptors, LetClientsWaitWithoutSpinningAndServeThemOnceThereAreSome) {
  start();
  Producer producer = connect_producer();
  // All its threads run by now: at their begin UndefinedBehaviorSanitizer needs a descriptor.
  ASSERT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::durable, kPatience).ok());
  const auto began = std::chrono::steady_clock::now();
  broker_->expect_log("Too many open files");  // whatever else wants to open a file just then, the next segment say
  set_limit(3);
  std::thread late([&] { connect_consumer(); });
  while (broker_->log().find("no file descriptor left") == std::string::npos)
    std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok()) << "who is there is served";
  std::this_thread::sleep_for(milliseconds(500));
  const std::string log = broker_->log();
  const auto passed = std::chrono::duration_cast<seconds>(std::chrono::steady_clock::now() - began).count();
  std::int64_t said = 0;
  for (std::size_t at = 0; (at = log.find("no file descriptor left", at)) != std::string::npos; ++at) ++said;
  EXPECT_LE(said, 1 + passed) << "once a second: " << log;
  set_limit(kEnough);
  late.join();
}

}  // namespace
}  // namespace leat::test
