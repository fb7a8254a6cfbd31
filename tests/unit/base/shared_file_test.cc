// Shared files and their mappings.
#include "shm/layout_version.h"
#include "shm/shared_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/mapping.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

constexpr std::uint64_t kMagic = 0x1122334455667788;

class SharedFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "file"; }
  UniqueFd create() { return test::must(create_shared_file(path(), spec_)); }
  Error refusal(int fd) {
    auto read = read_shared_header(fd, kMagic, "the file");
    return read.ok() ? Error{} : read.error();
  }

  test::TempDirectory directory_;
  SharedFileSpec spec_{.magic = kMagic, .feed_uuid = {1, 2, 3}, .instance = 9, .file_bytes = 8192, .capacity = 4096};
};

TEST_F(SharedFiles, AreMadeWholeAndReadBack) {
  const UniqueFd fd = create();
  const SharedFileSpec read = test::must(read_shared_header(fd.get(), kMagic, "the file"));
  EXPECT_EQ(read.feed_uuid, spec_.feed_uuid);
  EXPECT_EQ(read.instance, 9u);
  EXPECT_EQ(read.file_bytes, 8192u);
  EXPECT_EQ(read.capacity, 4096u);
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_GE(status.st_blocks * 512, 8192) << "really allocated";
  EXPECT_FALSE(std::filesystem::exists(path().string() + ".new"));
}

TEST_F(SharedFiles, AreNotReadyBeforeTheyAreSaidToBe) {
  const UniqueFd fd = create();
  const Mapping mapping = test::must(Mapping::map(fd.get(), Access::read_write, 0, 8192));
  auto* const header = reinterpret_cast<SharedFileHeader*>(mapping.data());
  EXPECT_EQ(header->load_state(), FileState::initialising);
  header->publish_state(FileState::ready);
  EXPECT_EQ(header->load_state(), FileState::ready);
}

TEST_F(SharedFiles, ReplaceALeftoverAndALeftoverTemporary) {
  test::must(create_shared_file(path(), spec_));
  test::must(create_shared_file(path().string() + ".new", spec_));
  spec_.instance = 10;
  EXPECT_EQ(test::must(read_shared_header(create().get(), kMagic, "the file")).instance, 10u);
}

TEST_F(SharedFiles, AreRefusedForAnotherMagic) {
  const UniqueFd fd = create();
  EXPECT_EQ(read_shared_header(fd.get(), kMagic + 1, "the file").error().code, ErrorCode::protocol_error);
  EXPECT_NE(read_shared_header(fd.get(), kMagic + 1, "the file").error().message.find("the file"), std::string::npos);
}

TEST_F(SharedFiles, AreRefusedForAnotherLayoutNamingBoth) {
  const UniqueFd fd = create();
  test::write_at(path(), 8, std::string("\x39\x05\0\0", 4));  // 1337
  const Error error = refusal(fd.get());
  EXPECT_EQ(error.code, ErrorCode::layout_mismatch);
  EXPECT_NE(error.message.find("1337"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find(std::to_string(kSharedLayoutVersion)), std::string::npos) << error.message;
}

TEST_F(SharedFiles, AreRefusedForAnotherSize) {
  const UniqueFd fd = create();
  for (const off_t bytes : {8191, 8193, 4096, 64}) {
    ASSERT_EQ(::ftruncate(fd.get(), bytes), 0);
    const Error error = refusal(fd.get());
    EXPECT_EQ(error.code, ErrorCode::protocol_error) << bytes;
    EXPECT_NE(error.message.find(std::to_string(bytes)), std::string::npos) << error.message;
  }
}

TEST_F(SharedFiles, AreRefusedWhenTooShortForAHeader) {
  const UniqueFd fd = create();
  for (const off_t bytes : {63, 8, 0}) {
    ASSERT_EQ(::ftruncate(fd.get(), bytes), 0);
    EXPECT_EQ(refusal(fd.get()).code, ErrorCode::protocol_error) << bytes;
  }
}

TEST_F(SharedFiles, SayWhatTheyNeedOnAFullTmpfs) {
  const std::filesystem::path small = directory_.path() / "small";
  std::filesystem::create_directory(small);
  if (::mount("leat-unit", small.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(errno);
  }
  spec_.file_bytes = 1 << 20;
  const auto created = create_shared_file(small / "file", spec_);
  const bool left_over = std::filesystem::exists(small / "file") || std::filesystem::exists(small / "file.new");
  ::umount2(small.c_str(), MNT_DETACH);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, ErrorCode::no_space);
  EXPECT_NE(created.error().message.find("1.0 MiB"), std::string::npos) << created.error().message;
  EXPECT_FALSE(left_over) << "a half-made file must not stay";
}

TEST_F(SharedFiles, CannotBeMadeWhereThereIsNoDirectory) {
  EXPECT_EQ(create_shared_file(directory_.path() / "none" / "file", spec_).error().code, ErrorCode::io_error);
}

TEST_F(SharedFiles, AreMirroredSoThatNoRunOfBytesWraps) {
  const UniqueFd fd = create();
  const Mapping mapping = test::must(Mapping::map_mirrored(fd.get(), Access::read_write, 4096, 4096));
  EXPECT_EQ(mapping.bytes(), 12288u);
  std::byte* const data = mapping.data() + 4096;
  std::memcpy(data + 4090, "over the end", 12);
  EXPECT_EQ(std::memcmp(data, "he end", 6), 0);
  EXPECT_EQ(std::memcmp(data + 4096, "he end", 6), 0);
  data[4096 + 100] = std::byte{7};
  EXPECT_EQ(data[100], std::byte{7});
  EXPECT_EQ(test::read_file(path())[4096 + 100], 7);
  EXPECT_EQ(test::read_file(path())[100], 0) << "the header is not part of the mirror";
}

TEST_F(SharedFiles, CannotBeWrittenThroughAReadOnlyMapping) {
  const UniqueFd fd = create();
  const Mapping mapping = test::must(Mapping::map_mirrored(fd.get(), Access::read_only, 4096, 4096));
  EXPECT_EQ(reinterpret_cast<const SharedFileHeader*>(mapping.data())->magic, kMagic);
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(mapping.data() + 4096) = 1, "");
}

TEST_F(SharedFiles, CannotBeMappedWritableFromAReadOnlyDescriptor) {
  (void)create();
  const UniqueFd fd(::open(path().c_str(), O_RDONLY));
  EXPECT_FALSE(Mapping::map(fd.get(), Access::read_write, 0, 8192).ok());
  EXPECT_FALSE(Mapping::map_mirrored(fd.get(), Access::read_write, 4096, 4096).ok());
  EXPECT_TRUE(Mapping::map(fd.get(), Access::read_only, 0, 8192).ok());
}

TEST(Mappings, TellOfABadDescriptor) {
  EXPECT_FALSE(Mapping::map(-1, Access::read_only, 0, 4096).ok());
  EXPECT_FALSE(Mapping::map_mirrored(-1, Access::read_only, 4096, 4096).ok());
}

}  // namespace
}  // namespace leat::internal
