// Named cursors in the broker: whose they are, how many there may be, and that a failed write loses none.
#include "broker/journal/cursor_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shm/base/unique_fd.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

constexpr std::uint32_t kSomebody = 4711;
constexpr std::uint32_t kSomebodyElse = 4712;

class CursorTableTest : public ::testing::Test {
 protected:
  test::TempDirectory directory;
  shm::UniqueFd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  CursorTable table{fd.get(), directory.path().string(), {}};
  Cursor place;
};

TEST_F(CursorTableTest, IsAsItWasAfterFlushAndLoad) {
  test::must(table.save("a", kSomebody, {.epoch = 5, .sequence = 10}));
  test::must(table.save("b", kSomebody, {.epoch = 5, .sequence = 3}));
  test::must(table.flush());
  CursorTable next(fd.get(), directory.path().string(), {});
  test::must(next.load());
  ASSERT_TRUE(test::must(next.find("a", kSomebody, place)));
  EXPECT_EQ(place, (Cursor{.epoch = 5, .sequence = 10}));
  EXPECT_EQ(next.lowest().name, "b");
  EXPECT_EQ(next.lowest().next_sequence, 4u);
  EXPECT_FALSE(test::must(next.find("c", kSomebody, place)));
}

TEST_F(CursorTableTest, BelongsToOneUserAndToTheBrokersOwn) {
  test::must(table.save("a", kSomebody, {.epoch = 5, .sequence = 10}));
  EXPECT_EQ(table.find("a", kSomebodyElse, place).error().code, ErrorCode::permission_denied);
  EXPECT_EQ(table.save("a", kSomebodyElse, {.epoch = 5, .sequence = 99}).error().code, ErrorCode::permission_denied);
  EXPECT_EQ(table.drop("a", kSomebodyElse).error().code, ErrorCode::permission_denied);
  ASSERT_TRUE(test::must(table.find("a", ::geteuid(), place)));
  EXPECT_EQ(place.sequence, 10u);
}

TEST_F(CursorTableTest, RefusesOneTooMany) {
  for (std::size_t i = 0; i < shm::kMaxCursors; ++i) test::must(table.save(std::to_string(i), 1, {}));
  EXPECT_EQ(table.save("more", 1, {}).error().code, ErrorCode::no_space);
  EXPECT_TRUE(table.save("7", 1, {.epoch = 1, .sequence = 2}).ok()) << "the ones that there are still move";
  test::must(table.drop("8", 1));
  EXPECT_TRUE(table.save("more", 1, {}).ok());
}

TEST_F(CursorTableTest, KeepsWhatCouldNotBeWrittenForTheNextTime) {
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 2}));
  // A directory in the way of the new file: its creation fails.
  std::filesystem::create_directory(directory.path() / "cursors.new");
  EXPECT_FALSE(table.flush().ok());
  std::filesystem::remove(directory.path() / "cursors.new");
  EXPECT_TRUE(table.flush().ok());
  EXPECT_EQ(test::must(shm::load_cursors(fd.get(), directory.path().string(), {})).size(), 1u);
}

// After a kill its consumer goes on from what is on disk, so that is what must not be pruned.
TEST_F(CursorTableTest, HoldsWhatLiesBehindThePlaceThatIsOnDisk) {
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 2}));
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 5}));
  EXPECT_EQ(table.lowest().next_sequence, 3u) << "never written: held from its first place on";
  test::must(table.flush());
  EXPECT_EQ(table.lowest().next_sequence, 6u);
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 9}));
  EXPECT_EQ(table.lowest().next_sequence, 6u);
  std::filesystem::create_directory(directory.path() / "cursors.new");
  EXPECT_FALSE(table.flush().ok());
  EXPECT_EQ(table.lowest().next_sequence, 6u) << "a write that failed moves nothing";
  std::filesystem::remove(directory.path() / "cursors.new");
  test::must(table.flush());
  EXPECT_EQ(table.lowest().next_sequence, 10u);
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 4}));
  EXPECT_EQ(table.lowest().next_sequence, 5u) << "moved back";
  test::must(table.drop("a", 1));
  EXPECT_TRUE(table.lowest().name.empty());
}

TEST_F(CursorTableTest, WritesNothingWhenNothingChanged) {
  test::must(table.flush());
  EXPECT_FALSE(std::filesystem::exists(directory.path() / shm::kCursorsFileName));
}

}  // namespace
}  // namespace leat::broker
