#include "broker/rings/memory_room.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A /proc and a / of a test's own.
class MemoryRoomFound : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const auto full = directory_.path() / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void machine(std::uint64_t available_kib, std::uint64_t swap_kib = 0) {
    write("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:   " + std::to_string(available_kib) +
                              " kB\nSwapFree:  " + std::to_string(swap_kib) + " kB\n");
  }
  void v2(const std::string& group, const std::string& part = "/") {
    write("proc/self/cgroup", "0::" + group + "\n");
    write("proc/self/mountinfo", "29 23 0:26 " + part + " /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
  }
  void v2_limits(const std::string& group, const std::string& most, std::uint64_t used, std::uint64_t files = 0) {
    const std::string at = "sys/fs/cgroup" + group;
    write(at + "/memory.max", most + "\n");
    write(at + "/memory.current", std::to_string(used) + "\n");
    write(at + "/memory.stat", "anon 1\ninactive_file " + std::to_string(files / 2) + "\nactive_file " +
                                   std::to_string(files - files / 2) + "\n");
  }
  MemoryRoom room() { return find_memory_room(directory_.path() / "proc", directory_.path()); }

  test::TempDirectory directory_;
};

TEST_F(MemoryRoomFound, WithoutAnyBoundIsUnbounded) {
  const MemoryRoom found = room();
  EXPECT_EQ(found.bytes, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(found.bound, "");
}

TEST_F(MemoryRoomFound, IsWhatTheMachineHasAndItsSwap) {
  machine(1000, 24);
  EXPECT_EQ(room().bytes, 1024 * 1024U);
  EXPECT_NE(room().bound.find("MemAvailable"), std::string::npos);
}

TEST_F(MemoryRoomFound, IsTheRestOfAGroupOfVersion2) {
  machine(1 << 30);
  v2("/feed");
  v2_limits("/feed", std::to_string(32 * kMiB), 20 * kMiB);
  EXPECT_EQ(room().bytes, 12 * kMiB);
  EXPECT_NE(room().bound.find("cgroup/feed"), std::string::npos) << room().bound;
}

TEST_F(MemoryRoomFound, CountsFilePagesAsRoom) {
  v2("/feed");
  v2_limits("/feed", std::to_string(32 * kMiB), 30 * kMiB, 10 * kMiB);
  EXPECT_EQ(room().bytes, 12 * kMiB);
}

TEST_F(MemoryRoomFound, IsTheNarrowestOfAllGroupsAbove) {
  v2("/a/b/c");
  v2_limits("/a", std::to_string(10 * kMiB), 9 * kMiB);
  v2_limits("/a/b", "max", 9 * kMiB);
  v2_limits("/a/b/c", std::to_string(64 * kMiB), 1 * kMiB);
  EXPECT_EQ(room().bytes, 1 * kMiB);
  EXPECT_TRUE(room().bound.ends_with("cgroup/a")) << room().bound;
}

TEST_F(MemoryRoomFound, LooksAtTheTopWhereAContainerSeesNoMoreOfThePath) {
  v2("/../../system.slice/docker-1.scope");
  v2_limits("", std::to_string(8 * kMiB), 6 * kMiB);
  EXPECT_EQ(room().bytes, 2 * kMiB);
}

TEST_F(MemoryRoomFound, TakesTheMountedPartOffThePath) {
  v2("/docker/1/inner", "/docker/1");
  v2_limits("", std::to_string(80 * kMiB), 0);
  v2_limits("/inner", std::to_string(8 * kMiB), 5 * kMiB);
  EXPECT_EQ(room().bytes, 3 * kMiB);
}

TEST_F(MemoryRoomFound, CountsSwapOnlyAsFarAsTheGroupMayUseIt) {
  machine(1 << 30, 100 * 1024);
  v2("/feed");
  v2_limits("/feed", std::to_string(32 * kMiB), 30 * kMiB);
  write("sys/fs/cgroup/feed/memory.swap.max", std::to_string(7 * kMiB) + "\n");
  write("sys/fs/cgroup/feed/memory.swap.current", std::to_string(2 * kMiB) + "\n");
  EXPECT_EQ(room().bytes, 7 * kMiB);
}

TEST_F(MemoryRoomFound, IsTheRestOfAGroupOfVersion1BesideOtherHierarchies) {
  write("proc/self/cgroup", "9:name=systemd:/x\n8:cpu,cpuacct:/y\n4:memory:/feed\n0::/\n");
  write("proc/self/mountinfo",
        "30 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n");
  const std::string at = "sys/fs/cgroup/memory/feed";
  write(at + "/memory.limit_in_bytes", std::to_string(32 * kMiB) + "\n");
  write(at + "/memory.usage_in_bytes", std::to_string(31 * kMiB) + "\n");
  write(at + "/memory.stat",
        "inactive_file 9\ntotal_inactive_file " + std::to_string(2 * kMiB) + "\ntotal_active_file 0\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
  EXPECT_EQ(room().bytes, 3 * kMiB);
}

TEST_F(MemoryRoomFound, IsNothingWhereMoreIsUsedThanAllowed) {
  v2("/feed");
  v2_limits("/feed", "4096", 8192);
  EXPECT_EQ(room().bytes, 0U);
}

}  // namespace
}  // namespace leat::broker
