// The file of named cursors: its bytes, and every way to damage them.
#include "journal/format/cursor_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/unique_fd.h"
#include "journal/format/feed_identity.h"
#include "tests/unit/fixtures/temp_directory.h"
#include "journal/format/format_version.h"

namespace leat::internal {
namespace {

constexpr FeedUuid kUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

CursorEntry entry(const char* name, std::uint64_t sequence) {
  CursorEntry made{};
  made.epoch = 0xabc;
  made.sequence = sequence;
  made.saved_ns = 7;
  made.uid = 1000;
  std::strcpy(made.name, name);
  return made;
}

class CursorFile : public ::testing::Test {
 protected:
  Result<std::vector<CursorEntry>> load(const FeedUuid& uuid = kUuid) {
    return load_cursors({fd.get(), directory.path().string()}, uuid);
  }
  void store(const std::vector<CursorEntry>& cursors) {
    test::must(store_cursors({fd.get(), directory.path().string()}, kUuid, cursors));
  }
  std::filesystem::path file() { return directory.path() / kCursorsFileName; }
  void write(const std::string& bytes) { std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes; }

  test::TempDirectory directory;
  UniqueFd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(CursorFile, LayoutIsThatOfVersion1) {
  ASSERT_EQ(kJournalFormatVersion, 2u) << "a new version: write these numbers anew";
  EXPECT_EQ(sizeof(CursorsHeader), 32u);
  EXPECT_EQ(offsetof(CursorsHeader, count), 12u);
  EXPECT_EQ(offsetof(CursorsHeader, feed_uuid), 16u);
  EXPECT_EQ(sizeof(CursorEntry), 96u);
  EXPECT_EQ(offsetof(CursorEntry, epoch), 64u);
  EXPECT_EQ(offsetof(CursorEntry, sequence), 72u);
  EXPECT_EQ(offsetof(CursorEntry, saved_ns), 80u);
  EXPECT_EQ(offsetof(CursorEntry, uid), 88u);
  EXPECT_EQ(offsetof(IdentityHeader, closed_change_ns), 56u);
  store({});
  EXPECT_EQ(test::read_file(file()).substr(0, 8), "LEATCUR1");
}

TEST_F(CursorFile, IsReadBackAsItWasWrittenAndMissingMeansNone) {
  EXPECT_TRUE(test::must(load()).empty());
  store({entry("a", 1), entry("b.c-d_9", ~0ULL)});
  const auto read = test::must(load());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(cursor_name(read[1]), "b.c-d_9");
  EXPECT_EQ(read[1].sequence, ~0ULL);
  EXPECT_EQ(read[0].epoch, 0xabcu);
  EXPECT_EQ(read[0].uid, 1000u);
  store({});
  EXPECT_TRUE(test::must(load()).empty());
}

TEST_F(CursorFile, WithAnyBitFlippedOrCutAnywhereIsRefusedWithARemedy) {
  store({entry("a", 1), entry("b", 2)});
  const std::string good = test::read_file(file());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write(bad);
    const auto loaded = load();
    ASSERT_FALSE(loaded.ok()) << "bit " << bit;
    ASSERT_TRUE(loaded.error().code == ErrorCode::corrupt || loaded.error().code == ErrorCode::layout_mismatch) << bit;
  }
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
    write(good.substr(0, bytes));
    ASSERT_FALSE(load().ok()) << bytes;
  }
  write(good + "x");
  const auto longer = load();
  ASSERT_FALSE(longer.ok());
  EXPECT_NE(longer.error().message.find("remove it"), std::string::npos);
}

TEST_F(CursorFile, OfAnotherFeedIsRefused) {
  store({entry("a", 1)});
  FeedUuid other = kUuid;
  other[0] = 99;
  EXPECT_EQ(load(other).error().code, ErrorCode::corrupt);
}

TEST(CursorName, FollowsItsRules) {
  for (const char* const good : {"a", "indexer", "a.b-c_D9"}) EXPECT_TRUE(is_cursor_name(good)) << good;
  EXPECT_TRUE(is_cursor_name(std::string(63, 'x')));
  for (const char* const bad : {"", "a b", "a/b", "\xc3\xa4", "a\n"}) EXPECT_FALSE(is_cursor_name(bad)) << bad;
  EXPECT_FALSE(is_cursor_name(std::string(64, 'x')));
}

}  // namespace
}  // namespace leat::internal
