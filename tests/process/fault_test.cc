// Clocks that step, disks that fail or fill up, files that shrink under the broker.
#include <sys/resource.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/load.h"

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

class FailingSync : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    sync_ = std::make_unique<SharedPage>(broker_->scratch() / "sync");
    for (const std::string& entry : preload(LEAT_TEST_SYNC_SHIM, "LEAT_TEST_SYNC", sync_->path())) {
      broker_->set_environment(entry);
    }
  }
  void TearDown() override {
    sync_.reset();
    LoadTest::TearDown();
  }
  void fail_sync(bool fails) { (*sync_)[0].store(fails ? 1 : 0); }

  std::unique_ptr<SharedPage> sync_;
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
    EXPECT_NE(broker_->log().find("mend the disk, then restart leatd"), std::string::npos);
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
  EXPECT_NE(broker_->log().find("Input/output error"), std::string::npos) << broker_->log();
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

class ShrunkFile : public LoadTest {
 protected:
  fs::path current_segment() const {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator(broker_->journal())) {
      if (entry.path().extension() == ".seg") newest = std::max(newest, entry.path());
    }
    return newest;
  }
};

TEST_F(ShrunkFile, TheCurrentSegmentTruncatedUnderTheBrokerEndsItWithAClearMessage) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  broker_->expect_log("SIGBUS in the journal's mapping");
  ASSERT_EQ(::truncate(current_segment().c_str(), 0), 0);
  (void)producer.publish({.topic = "t"}).ok();
  EXPECT_EQ(broker_->wait(), 74);
  EXPECT_NE(broker_->log().find("the segment was truncated under the broker"), std::string::npos) << broker_->log();
  EXPECT_EQ(producer.try_publish({.topic = "t"}), Publish::feed_failed);
  // What is gone is said at the next start; nothing is made up for it.
  broker_->expect_log("[critical]");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  const std::string said = broker_->log();
  EXPECT_NE(said.find(current_segment().filename().string()), std::string::npos) << said;
}

TEST_F(ShrunkFile, AnArenaTruncatedByItsProducerHurtsNobodyElse) {
  start();
  add_producer({"count=" + std::to_string(scaled(2000)), "pause_us=10"});
  ChildProcess raw = start_helper("arena_truncater", {});
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  EXPECT_EQ(raw.wait(), 0) << helper_output();
  ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "stress.p9"}, Ack::durable, kPatience).ok());
  EXPECT_EQ(status().latest_sequence, accepted() + 1);
}

class FullDisk : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
    mount_ = broker_->scratch() / "disk";
    fs::create_directory(mount_);
    if (::mount("tmpfs", mount_.c_str(), "tmpfs", 0, "size=512k") != 0) GTEST_SKIP() << "cannot mount here";
    broker_->set_data_dir(mount_ / "data");
    broker_->set("--segment-bytes", "32K");
    broker_->set("--max-event-bytes", "2K");
    broker_->set("--arena-bytes", "16K");
  }
  void TearDown() override {
    broker_->kill9();
    if (!mount_.empty()) ::umount2(mount_.c_str(), MNT_DETACH);
    LoadTest::TearDown();
  }
  fs::path mount_;
};

TEST_F(FullDisk, HoldsProducersBackAndGoesOnWithoutLossWhenThereIsRoomAgain) {
  const fs::path filler = mount_ / "filler";
  std::ofstream(filler) << std::string(256 * 1024, 'x');
  start();
  broker_->expect_log("no segment ahead of need");
  auto producer = Producer::connect({.address = broker_->address(), .publish_timeout = milliseconds(200)});
  ASSERT_TRUE(producer.ok()) << producer.error().message;
  Generated generated;
  const SizeMix mix{.max_bytes = max_payload_};
  std::uint64_t number = 0;
  Result<Receipt> sent = Receipt{};
  while ((sent = producer->publish(generated.make(test_seed(), 0, number, mix))).ok()) ++number;
  expect_error(sent, ErrorCode::timed_out, {"no room"});
  EXPECT_EQ(status().state, "stalled");
  EXPECT_GT(status().stalls, 0U);
  EXPECT_LT(status().latest_sequence, number) << "some are held in the arena";
  fs::remove(filler);
  for (const std::uint64_t until = number + 100; number < until;) {
    if (producer->publish(generated.make(test_seed(), 0, number, mix)).ok()) ++number;
  }
  Consumer consumer = connect_consumer();
  EventChecker checker(test_seed(), mix);
  checker.expect_sequence(1);
  while (checker.count() < number) ASSERT_TRUE(checker.take(take_event(consumer))) << checker.error();
  EXPECT_EQ(status().state, "running");
  EXPECT_NE(broker_->log().find("a segment could be prepared again"), std::string::npos);
  EXPECT_EQ(broker_->terminate(), 0);
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
  const auto began = std::chrono::steady_clock::now();
  broker_->expect_log("no segment ahead of need");  // it may be about to make one
  set_limit(3);
  std::thread late([&] { connect_consumer(); });
  while (broker_->log().find("no file descriptor left") == std::string::npos) std::this_thread::sleep_for(milliseconds(5));
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
