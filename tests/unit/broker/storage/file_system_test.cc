#include "broker/storage/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>

#include <filesystem>
#include <string>

#include "broker/storage/known_file_systems.h"
#include "base/unique_fd.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

Result<FileSystem> look_at(const std::filesystem::path& path) {
  const internal::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return look_at_file_system({fd.get(), path.string()});
}

TEST(FileSystemTest, IsTrustedNoFurtherThanItsKindAllows) {
  struct Known {
    std::uint32_t magic;
    const char* name;
    SegmentWrites writes;
  };
  for (const Known& known :
       {Known{EXT4_SUPER_MAGIC, "ext2, ext3 or ext4", SegmentWrites::mapped},
        Known{XFS_SUPER_MAGIC, "xfs", SegmentWrites::mapped}, Known{TMPFS_MAGIC, "tmpfs", SegmentWrites::mapped},
        Known{BTRFS_SUPER_MAGIC, "btrfs", SegmentWrites::written}, Known{0x2FC12FC1, "zfs", SegmentWrites::written},
        Known{F2FS_SUPER_MAGIC, "f2fs", SegmentWrites::written}, Known{NFS_SUPER_MAGIC, "nfs", SegmentWrites::synced},
        Known{V9FS_MAGIC, "9p", SegmentWrites::synced}, Known{0x65735546, "fuse or virtiofs", SegmentWrites::synced}}) {
    std::string name;
    const auto found = known_file_system(known.magic, name);
    ASSERT_TRUE(found.has_value()) << known.name;
    EXPECT_EQ(name, known.name);
    EXPECT_EQ(found->writes, known.writes) << known.name;
    EXPECT_EQ(found->why.empty(), known.writes == SegmentWrites::mapped) << known.name;
  }
}

TEST(FileSystemTest, ThatHidesAnotherOrIsNotKnownIsAsked) {
  std::string name;
  EXPECT_FALSE(known_file_system(OVERLAYFS_SUPER_MAGIC, name).has_value());
  EXPECT_EQ(name, "overlay");
  EXPECT_FALSE(known_file_system(0x12345678, name).has_value());
  EXPECT_EQ(name, "unknown (type 0x12345678)");
}

TEST(FileSystemTest, ThatCannotBeAskedIsNotMapped) {
  const auto found = look_at("/proc");  // nobody can make a file there
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(found->writes, SegmentWrites::written);
  EXPECT_NE(found->why.find("could not be found out"), std::string::npos) << found->why;
}

TEST(FileSystemTest, IsAskedWithoutATrace) {
  const test::TempDirectory directory;
  ASSERT_TRUE(look_at(directory.path()).ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace leat::broker
