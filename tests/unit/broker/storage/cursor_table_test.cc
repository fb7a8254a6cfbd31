// Named cursors in the broker: whose they are, how many there may be, and that a failed write loses none.
#include "broker/storage/cursor_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

constexpr std::uint32_t kSomebody = 4711;
constexpr std::uint32_t kSomebodyElse = 4712;

class CursorTableTest : public ::testing::Test {
 protected:
  test::TempDirectory directory;
  internal::UniqueFd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  CursorTable table{{fd.get(), directory.path().string()}, {}};
  Cursor place;

  static CursorHold lowest(const CursorTable& of) { return of.holds(~0ULL).at(0); }
};

TEST_F(CursorTableTest, IsAsItWasAfterFlushAndLoad) {
  test::must(table.save("a", kSomebody, {.epoch = 5, .sequence = 10}));
  test::must(table.save("b", kSomebody, {.epoch = 5, .sequence = 3}));
  test::must(table.flush());
  CursorTable next({fd.get(), directory.path().string()}, {});
  test::must(next.load());
  ASSERT_TRUE(test::must(next.find("a", kSomebody, place)));
  EXPECT_EQ(place, (Cursor{.epoch = 5, .sequence = 10}));
  EXPECT_EQ(lowest(next).name, "b");
  EXPECT_EQ(lowest(next).next_sequence, 4u);
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
  for (std::size_t i = 0; i < internal::kMaxCursors; ++i) test::must(table.save(std::to_string(i), 1, {}));
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
  EXPECT_EQ(test::must(internal::load_cursors({fd.get(), directory.path().string()}, {})).size(), 1u);
}

// After a kill its consumer goes on from what is on disk, so that is what must not be pruned.
TEST_F(CursorTableTest, HoldsWhatLiesBehindThePlaceThatIsOnDisk) {
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 2}));
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 5}));
  EXPECT_EQ(lowest(table).next_sequence, 3u) << "never written: held from its first place on";
  test::must(table.flush());
  EXPECT_EQ(lowest(table).next_sequence, 6u);
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 9}));
  EXPECT_EQ(lowest(table).next_sequence, 6u);
  std::filesystem::create_directory(directory.path() / "cursors.new");
  EXPECT_FALSE(table.flush().ok());
  EXPECT_EQ(lowest(table).next_sequence, 6u) << "a write that failed moves nothing";
  std::filesystem::remove(directory.path() / "cursors.new");
  test::must(table.flush());
  EXPECT_EQ(lowest(table).next_sequence, 10u);
  test::must(table.save("a", 1, {.epoch = 1, .sequence = 4}));
  EXPECT_EQ(lowest(table).next_sequence, 5u) << "moved back";
  test::must(table.drop("a", 1));
  EXPECT_TRUE(table.holds(~0ULL).empty());
}

TEST_F(CursorTableTest, HoldsForEachUserWhatHisLowestCursorNeedsUpToHisShare) {
  table.set_user_share(25);
  test::must(table.save("a", kSomebody, {.epoch = 1, .sequence = 7}));
  test::must(table.save("b", kSomebodyElse, {.epoch = 1, .sequence = 5}));
  test::must(table.save("c", kSomebody, {.epoch = 1, .sequence = 3}));
  test::must(table.save("d", ::geteuid(), {.epoch = 1, .sequence = 20}));
  test::must(table.save("e", kSomebodyElse, {.epoch = 1, .sequence = 30}));
  test::must(table.flush());
  CursorTable next({fd.get(), directory.path().string()}, {});  // whose they are is in the file
  next.set_user_share(25);
  test::must(next.load());
  for (const CursorTable* each : {&table, &next}) {
    const std::vector<CursorHold> holds = each->holds(1000);
    ASSERT_EQ(holds.size(), 3u);
    EXPECT_EQ(holds[0].name + holds[1].name + holds[2].name, "cbd");
    EXPECT_EQ(holds[0].uid, kSomebody);
    EXPECT_EQ(holds[0].next_sequence, 4u);
    EXPECT_EQ(holds[0].most_bytes, 250u);
    EXPECT_EQ(holds[1].most_bytes, 250u);
    EXPECT_EQ(holds[2].uid, ::geteuid());
    EXPECT_EQ(holds[2].most_bytes, 1000u) << "the broker's own user has no share";
    for (const CursorHold& hold : each->holds(0)) EXPECT_EQ(hold.most_bytes, 0u) << "nothing is held";
  }
  table.set_user_share(100);
  for (const CursorHold& hold : table.holds(1000)) EXPECT_EQ(hold.most_bytes, 1000u);
}

// The syncer asks again after another number only, and it asks while events are waiting for it.
TEST_F(CursorTableTest, TheVersionChangesWithWhatIsHeldAndNotWithEachSave) {
  std::uint64_t before = table.holds_version();
  const auto changed = [&] { return std::exchange(before, table.holds_version()) != table.holds_version(); };
  test::must(table.save("a", kSomebody, {.epoch = 1, .sequence = 5}));
  EXPECT_TRUE(changed());
  for (std::uint64_t i = 6; i < 20; ++i) test::must(table.save("a", kSomebody, {.epoch = 1, .sequence = i}));
  EXPECT_FALSE(changed()) << "held is what lies behind the place on disk";
  test::must(table.flush());
  EXPECT_TRUE(changed());
  test::must(table.flush());
  EXPECT_FALSE(changed());
  test::must(table.save("a", kSomebody, {.epoch = 1, .sequence = 4}));
  EXPECT_TRUE(changed()) << "moved back";
  test::must(table.save("a", kSomebody, {.epoch = 1, .sequence = 8}));
  EXPECT_TRUE(changed()) << "and on again, to what is on disk at most";
  table.set_user_share(10);
  EXPECT_TRUE(changed());
  test::must(table.drop("a", kSomebody));
  EXPECT_TRUE(changed());
  CursorTable next({fd.get(), directory.path().string()}, {});
  before = next.holds_version();
  test::must(next.load());
  EXPECT_NE(next.holds_version(), before);
}

TEST_F(CursorTableTest, WritesNothingWhenNothingChanged) {
  test::must(table.flush());
  EXPECT_FALSE(std::filesystem::exists(directory.path() / internal::kCursorsFileName));
}

}  // namespace
}  // namespace leat::broker
