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

// Rings are mapped by everybody: what is not mapped for a journal is no place for them.
TEST(FileSystemTest, HoldsRingsOnlyWhereRoomCanBeHadAhead) {
  for (const std::uint32_t magic : std::initializer_list<std::uint32_t>{TMPFS_MAGIC, RAMFS_MAGIC, EXT4_SUPER_MAGIC,
                                                                        OVERLAYFS_SUPER_MAGIC, 0x12345678}) {
    EXPECT_TRUE(check_file_system_of_rings(magic, "/rings").ok()) << magic;
  }
  for (const std::uint32_t magic :
       std::initializer_list<std::uint32_t>{BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, NFS_SUPER_MAGIC, V9FS_MAGIC}) {
    const auto checked = check_file_system_of_rings(magic, "/rings");
    ASSERT_FALSE(checked.ok()) << magic;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(checked.error().message.find("/rings, which is on "), std::string::npos) << checked.error().message;
    EXPECT_NE(checked.error().message.find("--runtime-dir"), std::string::npos) << checked.error().message;
  }
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
