// Journals where room cannot be had ahead: a full disk holds producers back there too, and nothing is lost.
//
// With the fault shim anybody can run this; the file systems themselves (loop mounts of btrfs and xfs images) need
// root, mkfs.btrfs and mkfs.xfs, and are skipped, with the reason, where one of these is missing.
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/load.h"
#include "support/environment.h"
#include "support/fault_plan.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class StalledJournal : public LoadTest {
 protected:
  void wait_for_state(const std::string& wanted) {
    while (status().state != wanted) std::this_thread::sleep_for(milliseconds(5));
  }
};

class WrittenJournal : public StalledJournal, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    StalledJournal::SetUp();
    const fs::path page = broker_->scratch() / "faults";
    plan_ = map_fault_plan(page.c_str(), true);
    ASSERT_NE(plan_, nullptr);
    plan_->error.store(ENOSPC);
    plan_->first.store(1);
    plan_->times.store(~0ULL);
    const char* options = std::getenv("ASAN_OPTIONS");
    broker_->set_environment(std::string("LD_PRELOAD=") + LEAT_TEST_FAULT_SHIM);
    broker_->set_environment("LEAT_TEST_FAULTS=" + page.string());
    broker_->set_environment(std::string("ASAN_OPTIONS=verify_asan_link_order=0:") +
                             (options != nullptr ? options : ""));
    broker_->set("--journal-writes", GetParam());
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
    broker_->expect_log("No space left on device");
  }
  void fill() { plan_->call.store(Call::pwrite); }
  void free_again() { plan_->call.store(Call::none); }
  FaultPlan* plan_ = nullptr;
};

TEST_P(WrittenJournal, HoldsProducersBackOnAFullDiskAndGoesOnWithoutLoss) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the shim stands before pwrite, which ThreadSanitizer needs for itself";
#endif
  start();
  add_consumer();
  for (int i = 0; i < 2; ++i) add_producer({"pause_us=20"});
  wait_until_connected();
  for (int time = 0; time < 3; ++time) {
    wait_for_accepted(accepted() + scaled(500));
    fill();
    wait_for_state("stalled");
    EXPECT_TRUE(broker_->running());
    if (time == 1) {  // its successor finds the round in the arenas
      broker_->kill9();
      free_again();
      start();
    }
    free_again();
    wait_for_state("running");
  }
  wait_for_log("the journal could be written again");
  wait_for_accepted(accepted() + 100);
  finish_producers();
  finish_consumers();
  check_journal();
  EXPECT_EQ(broker_->terminate(), 0);
}

TEST_P(WrittenJournal, StopsWhileItIsFullAndKeepsWhatWasAccepted) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the shim stands before pwrite, which ThreadSanitizer needs for itself";
#endif
  start();
  broker_->expect_log("the journal could not be closed");
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = "before"}, Ack::durable, kPatience).ok());
  fill();
  ASSERT_TRUE(producer.publish({.topic = "t", .payload = "held"}).ok());
  wait_for_state("stalled");
  EXPECT_EQ(broker_->terminate(), 1);
  free_again();
  start();
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).payload, "before");
  EXPECT_EQ(take_event(consumer).payload, "held");
  EXPECT_EQ(broker_->log().find("new epoch"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Ways, WrittenJournal, testing::Values("written", "synced"),
                         [](const auto& way) { return std::string(way.param); });

struct Place {
  const char* name;
  const char* make;     // command that makes a file system in an image
  const char* options;  // of mount
  const char* writes;   // --journal-writes
  bool clone;           // the journal's segments are cloned while the broker runs
};

class OtherFileSystem : public StalledJournal, public testing::WithParamInterface<Place> {
 protected:
  static bool run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }
  void SetUp() override {
    StalledJournal::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a file system";
    const fs::path image = broker_->scratch() / "image";
    const fs::path place = broker_->scratch() / "disk";
    fs::create_directories(place);
    std::ofstream(image).flush();
    fs::resize_file(image, 400ULL << 20);
    if (!run(std::string(GetParam().make) + " " + image.string())) {
      GTEST_SKIP() << GetParam().make << " is not there, or does not work here";
    }
    if (!run("mount -o " + std::string(GetParam().options) + " " + image.string() + " " + place.string())) {
      GTEST_SKIP() << "cannot mount an image (loop) of it here";
    }
    mount_ = place;
    broker_->set_data_dir(mount_ / "data");
    broker_->set("--segment-bytes", "4M");
    broker_->set("--journal-writes", GetParam().writes);
    broker_->expect_log("No space left on device");
    broker_->expect_log("no room for a store into the journal");
  }
  void TearDown() override {
    broker_->kill9();
    producers_.clear();
    consumers_.clear();
    if (!mount_.empty()) ::umount2(mount_.c_str(), MNT_DETACH);
    StalledJournal::TearDown();
  }
  void fill() {
    std::ofstream file(mount_ / "filler", std::ios::binary);
    std::string block(1 << 20, 'x');
    std::uint64_t word = test_seed();
    while (file.good()) {  // what does not compress
      for (std::size_t i = 0; i + 8 <= block.size(); i += 8) {
        word = word * 6364136223846793005ULL + 1442695040888963407ULL;
        std::memcpy(block.data() + i, &word, 8);
      }
      file.write(block.data(), static_cast<std::streamsize>(block.size())).flush();
    }
    run("sync -f " + mount_.string());
  }
  void free_again() {
    fs::remove(mount_ / "filler");
    run("sync -f " + mount_.string());
  }
  fs::path mount_;
};

TEST_P(OtherFileSystem, HoldsProducersBackWhenItIsFullAndGoesOnWithoutLoss) {
  start();
  {
    Producer producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
  if (GetParam().clone) {
    ASSERT_TRUE(run("cp -r --reflink=always " + broker_->journal().string() + " " + (mount_ / "copy").string()));
  }
  fill();
  auto producer = Producer::connect({.address = broker_->address(), .publish_timeout = milliseconds(500)});
  ASSERT_TRUE(producer.ok()) << producer.error().message;
  const std::string payload(10'000, 'p');
  const auto number = [](std::uint64_t n) { return std::to_string(n) + " "; };
  std::uint64_t sent = 0;
  constexpr std::uint64_t kMost = 3000;  // 30 MB
  bool was_stalled = false;
  while (sent < kMost) {
    auto said = producer->publish({.topic = "t", .payload = number(sent) + payload});
    if (said.ok()) {
      ++sent;
      continue;
    }
    ASSERT_EQ(error_name(said.error().code), error_name(ErrorCode::timed_out)) << said.error().message;
    ASSERT_TRUE(broker_->running());
    if (!was_stalled) {
      EXPECT_EQ(status().state, "stalled");
      was_stalled = true;
      free_again();
    }
  }
  EXPECT_TRUE(was_stalled) << "the disk was never full";
  ASSERT_TRUE(producer->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  EXPECT_EQ(status().state, "running");
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  for (std::uint64_t n = 0; n < kMost; ++n) {
    const EventView event = take_event(consumer);
    ASSERT_EQ(event.sequence, n + 2);
    ASSERT_TRUE(event.payload.starts_with(number(n)));
  }
  EXPECT_EQ(broker_->terminate(), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, OtherFileSystem,
                         testing::Values(Place{"btrfs", "mkfs.btrfs -q", "loop", "auto", false},
                                         Place{"btrfs_compressed", "mkfs.btrfs -q", "loop,compress=zstd", "auto",
                                               false},
                                         Place{"btrfs_nodatacow", "mkfs.btrfs -q", "loop,nodatacow", "auto", true},
                                         Place{"btrfs_mapped_all_the_same", "mkfs.btrfs -q", "loop", "mapped", false},
                                         Place{"xfs_with_cloned_segments", "mkfs.xfs -q", "loop", "auto", true}),
                         [](const auto& place) { return std::string(place.param.name); });

}  // namespace
}  // namespace leat::test
