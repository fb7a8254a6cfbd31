// File systems that are really full: the journal's, reached at the start, at a roll and in the middle of load, and the
// runtime directory's. Freed again, the feed goes on by itself, and nothing is missing.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class SmallFileSystem : public LoadTest {
 protected:
  void mount_at(const fs::path& place, const std::string& size) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
    fs::create_directories(place);
    if (::mount("tmpfs", place.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) {
      GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(errno);
    }
    mount_ = place;
  }
  void TearDown() override {
    broker_->kill9();
    producers_.clear();
    consumers_.clear();
    if (!mount_.empty()) ::umount2(mount_.c_str(), MNT_DETACH);
    LoadTest::TearDown();
  }
  // Takes all the room there is, or all but `spare` bytes.
  void fill(std::uint64_t spare = 0) {
    std::ofstream file(filler(), std::ios::binary);
    const std::string block(64 * 1024, 'x');
    while (file.good() && fs::space(mount_).available > spare) file.write(block.data(), 4096).flush();
  }
  void free_again() { fs::remove(filler()); }
  void wait_for_state(const std::string& wanted) {
    while (status().state != wanted) std::this_thread::sleep_for(milliseconds(5));
  }
  [[nodiscard]] fs::path filler() const { return mount_ / "filler"; }

  fs::path mount_;
};

class FullDisk : public SmallFileSystem {
 protected:
  void SetUp() override {
    SmallFileSystem::SetUp();
    mount_at(broker_->scratch() / "disk", "20m");
    broker_->set_data_dir(mount_ / "data");
    broker_->set("--segment-bytes", "1M");
    broker_->set("--max-event-bytes", "2K");
    broker_->set("--arena-bytes", "64K");
    broker_->expect_log("no segment ahead of need");
    broker_->expect_log("No space left on device");
  }
};

TEST_F(FullDisk, AtTheStartIsAFailedStartThatSaysWhereAndWhatToDo) {
  fill();
  EXPECT_EQ(broker_->run_to_exit(), 1);
  const std::string said = broker_->log();
  EXPECT_NE(said.find("No space left on device (errno 28); free some space there"), std::string::npos) << said;
  EXPECT_NE(said.find(broker_->journal().string()), std::string::npos) << said;
  free_again();
  start();
  EXPECT_EQ(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), 1U);
}

// Here the first segment can be had, and its successor cannot: the feed goes on in the first one, then holds back.
TEST_F(FullDisk, AtARollHoldsProducersBackAndGoesOnWithoutLossWhenThereIsRoomAgain) {
  fill(1536 * 1024);
  start();
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
  free_again();
  for (const std::uint64_t until = number + 100; number < until;) {
    if (producer->publish(generated.make(test_seed(), 0, number, mix)).ok()) ++number;
  }
  Consumer consumer = connect_consumer();
  EventChecker checker(test_seed(), mix);
  checker.expect_sequence(1);
  while (checker.count() < number) ASSERT_TRUE(checker.take(take_event(consumer))) << checker.error();
  EXPECT_EQ(status().state, "running");
  wait_for_log("a segment could be prepared again");
  EXPECT_EQ(broker_->terminate(), 0);
}

// The disk fills up again and again under producers and consumers that only wait; once leatd is killed meanwhile, and
// starts although there is no byte left.
TEST_F(FullDisk, InTheMiddleOfLoadIsWaitedOutAndSurvivesAKillToo) {
  constexpr int kTimes = 3;
  start();
  add_consumer();
  for (int i = 0; i < 3; ++i) add_producer({"pause_us=20"});
  wait_until_connected();
  for (int time = 0; time < kTimes; ++time) {
    wait_for_accepted(accepted() + scaled(1000));
    fill();
    wait_for_state("stalled");
    if (time == 1) {
      broker_->kill9();
      start();
      wait_for_state("stalled");
    }
    free_again();
    wait_for_state("running");
  }
  wait_for_accepted(accepted() + 100);
  finish_producers();
  finish_consumers();
  check_journal();
}

// A segment with a hole is repaired in a copy, for which there is no room; then there is.
TEST_F(FullDisk, HoldsARepairBackWhichLosesNothingMoreWhenItIsDoneAgain) {
  start();
  {
    Producer producer = connect_producer();
    const std::string payload(1000, 'x');
    for (int i = 0; i < 1500; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = payload}).ok());
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
  ASSERT_EQ(broker_->terminate(), 0);
  const std::vector<fs::path> segments = broker_->segments();
  ASSERT_GE(segments.size(), 2U);
  std::fstream(segments[0], std::ios::in | std::ios::out | std::ios::binary).seekp(500'000) << "damaged";
  const auto leat = [&](std::vector<std::string> arguments, std::string& text) {
    const std::string output = (broker_->scratch() / "said").string();
    arguments.insert(arguments.begin(), LEAT_TEST_LEAT);
    arguments.insert(arguments.end(), {"--journal", broker_->journal().string()});
    ChildProcess child({.arguments = std::move(arguments), .environment = {}, .output = output, .user = std::nullopt});
    const int status = child.wait();
    text = read_file(output);
    fs::remove(output);
    return status;
  };
  std::string text;
  EXPECT_EQ(leat({"verify"}, text), 1);
  EXPECT_NE(text.find("1 event lost"), std::string::npos) << text;
  fill();
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(leat({"repair", "--yes"}, text), 0);
    EXPECT_NE(text.find("No space left on device (errno 28); free some space there"), std::string::npos) << text;
    EXPECT_EQ(leat({"verify"}, text), 1);
    EXPECT_NE(text.find("1 event lost"), std::string::npos) << text;
  }
  free_again();
  EXPECT_EQ(leat({"repair", "--yes"}, text), 0) << text;
  EXPECT_EQ(leat({"verify"}, text), 0) << text;
  start();
  EXPECT_EQ(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), 1502U);
}

class FullRuntime : public SmallFileSystem {
 protected:
  void SetUp() override {
    SmallFileSystem::SetUp();
    mount_at(broker_->scratch() / "shm", "20m");
    broker_->set_runtime_dir(mount_ / "run");
  }
};

TEST_F(FullRuntime, IsSaidAtTheStartAndToNewProducersAndDisturbsNobodyElse) {
  broker_->expect_log("[critical]");
  fill();
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log(mount_.string());
  free_again();
  start();
  add_consumer();
  add_producer({"pause_us=20"});
  wait_until_connected();
  fill();
  expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::no_space, {"arena", "free in"});
  wait_for_accepted(accepted() + scaled(500));
  // Rings and arenas are there already: a restart needs no more room than its predecessor has left.
  broker_->kill9();
  start();
  wait_for_accepted(accepted() + scaled(500));
  expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::no_space, {"arena"});
  free_again();
  EXPECT_TRUE(Producer::connect({.address = broker_->address()}).ok());
  finish_producers();
  finish_consumers();
  check_journal();
}

}  // namespace
}  // namespace leat::test
