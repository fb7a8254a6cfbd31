// What leat verify says of made journals: nothing of a good one, the exact range of a bad one.
#include "journal/check/check_journal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "journal/format/cursor_file.h"
#include "tests/unit/fixtures/repair_bench.h"

namespace leat::internal {
namespace {

using test::check_of;
using test::describe;
using test::JournalMaker;

const Damage& only(const JournalCheck& check) {
  if (check.damages.size() != 1) throw std::runtime_error("not one damage: " + describe(check));
  return check.damages.front();
}

TEST(CheckJournal, FindsNothingWrongWithWhatABrokerWrites) {
  JournalMaker journal;
  EXPECT_TRUE(check_of(journal).intact()) << "an empty one";
  journal.events(100, 400);
  journal.batch(7);
  journal.mark_all();
  journal.roll();
  journal.events(20, 3000);
  const JournalCheck open = check_of(journal);
  EXPECT_TRUE(open.intact()) << describe(open);
  EXPECT_EQ(open.events, 127u);
  EXPECT_EQ(open.end_sequence, 127u);
  EXPECT_EQ(open.end_position, journal.position());
  EXPECT_EQ(open.segments.size(), journal.segments().size());
  EXPECT_GT(open.index_entries, 0u);
  journal.close_cleanly();
  EXPECT_TRUE(check_of(journal).intact());
}

TEST(CheckJournal, CountsATornTailAndAnUnfinishedBatchAsNoDamage) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t end = journal.position();
  journal.batch(4, false);
  const JournalCheck check = check_of(journal);
  EXPECT_TRUE(check.intact()) << describe(check);
  EXPECT_EQ(check.end_sequence, 5u);
  EXPECT_EQ(check.end_position, end);
  EXPECT_EQ(check.torn_bytes, journal.position() - end);
  EXPECT_EQ(check.events, 5u);
}

// Only if all of it lies where nothing proves anything.
TEST(CheckJournal, SaysBehindWhatLeatdWouldCut) {
  const auto cut_behind = [](std::initializer_list<std::size_t> damaged) {
    JournalMaker journal;
    journal.events(5);
    journal.roll();
    journal.events(5);
    journal.mark_all();
    journal.events(5);
    journal.roll();
    journal.events(5);
    for (const std::size_t number : damaged) journal.flip(journal.written()[number].position + 60);
    const JournalCheck check = check_of(journal);
    EXPECT_EQ(check.damages.size(), damaged.size()) << describe(check);
    return check.cut_behind;
  };
  EXPECT_EQ(cut_behind({}), std::nullopt) << "nothing is damaged";
  EXPECT_EQ(cut_behind({12}), 12u);
  EXPECT_EQ(cut_behind({10, 13}), 10u);
  EXPECT_EQ(cut_behind({7}), std::nullopt) << "a mark proves it, and leatd refuses";
  EXPECT_EQ(cut_behind({7, 12}), std::nullopt);
  EXPECT_EQ(cut_behind({2}), std::nullopt) << "leatd starts, and leaves it as it is";
  EXPECT_EQ(cut_behind({2, 12}), std::nullopt);
}

TEST(CheckJournal, ListsGapsOfAnEarlierRepair) {
  JournalMaker journal;
  journal.events(3);
  journal.gap(4, 9);
  journal.events(2);
  const JournalCheck check = check_of(journal);
  EXPECT_TRUE(check.intact()) << describe(check);
  ASSERT_EQ(check.gaps.size(), 1u);
  EXPECT_EQ(check.gaps[0].first_missing, 4u);
  EXPECT_EQ(check.gaps[0].last_missing, 9u);
}

TEST(CheckJournal, NamesTheExactRangeOfADamagedRecord) {
  JournalMaker journal;
  journal.events(100, 400);
  const auto& bad = journal.written()[7];
  journal.flip(bad.position + 60);
  const Damage damage = only(check_of(journal));
  EXPECT_EQ(damage.kind, DamageKind::records);
  EXPECT_EQ(damage.from_position, bad.position);
  EXPECT_EQ(damage.to_position, bad.position + bad.bytes);
  EXPECT_EQ(damage.offset, journal.place_of(bad.position).offset);
  EXPECT_EQ(damage.file, journal.segments().front().to_string());
  EXPECT_EQ(damage.first_lost, 8u);
  EXPECT_EQ(damage.last_lost, 8u);
}

TEST(CheckJournal, FindsTwoPlacesAndJoinsNeighbours) {
  JournalMaker journal;
  journal.events(100, 400);
  for (const std::size_t i : {3u, 4u, 20u}) journal.flip(journal.written()[i].position + 8);
  const JournalCheck check = check_of(journal);
  ASSERT_EQ(check.damages.size(), 2u) << describe(check);
  EXPECT_EQ(check.damages[0].first_lost, 4u);
  EXPECT_EQ(check.damages[0].last_lost, 5u);
  EXPECT_EQ(check.damages[1].first_lost, 21u);
}

TEST(CheckJournal, GoesByTheTableOfRecoveryInTheLastSegment) {
  JournalMaker journal(1 << 20);
  journal.events(10);
  journal.flip(journal.written()[4].position + 60);
  EXPECT_TRUE(check_of(journal).intact()) << "nothing proves it: a torn tail";
  journal.mark(journal.written()[4].position, 4);
  EXPECT_TRUE(check_of(journal).intact()) << "not for this one";
  journal.mark_all();
  EXPECT_EQ(only(check_of(journal)).first_lost, 5u);
}

TEST(CheckJournal, KnowsFromACleanCloseThatTheEndIsGone) {
  JournalMaker journal;
  journal.events(10);
  journal.close_cleanly();
  const auto& last = journal.written().back();
  journal.overwrite(last.position, std::string(last.bytes, '\0'));
  const Damage damage = only(check_of(journal));
  EXPECT_EQ(damage.first_lost, 10u);
  EXPECT_EQ(damage.last_lost, 10u);
  EXPECT_EQ(damage.to_position, journal.position());
}

TEST(CheckJournal, NamesTheSegmentsThatAreMissing) {
  JournalMaker journal;
  journal.events(100, 400);
  ASSERT_GT(journal.segments().size(), 4u);
  for (const std::size_t i : {1u, 2u}) std::filesystem::remove(journal.path() / journal.segments()[i].to_string());
  const Damage damage = only(check_of(journal));
  EXPECT_EQ(damage.kind, DamageKind::missing_segment);
  EXPECT_EQ(damage.file, journal.segments()[1].to_string());
  EXPECT_EQ(damage.first_lost, journal.segments()[1].first_sequence);
  EXPECT_EQ(damage.last_lost, journal.segments()[3].first_sequence - 1);
}

TEST(CheckJournal, ChecksHeadersIndexSizesAndNames) {
  for (const auto& [offset, kind] : {std::pair{60u, DamageKind::header}, std::pair{4096u + 9, DamageKind::index}}) {
    JournalMaker journal;
    journal.events(100, 400);
    journal.flip_in_file(journal.path() / journal.segments()[1].to_string(), offset);
    const Damage damage = only(check_of(journal));
    EXPECT_EQ(damage.kind, kind);
    EXPECT_FALSE(damage.loses_events());
  }
  JournalMaker journal;
  journal.events(100, 400);
  const auto name = journal.path() / journal.segments()[1].to_string();
  std::filesystem::resize_file(name, test::kTinySegment + 4096);
  EXPECT_EQ(only(check_of(journal)).kind, DamageKind::size);
  std::filesystem::resize_file(name, test::kTinySegment);
  std::filesystem::rename(name, journal.path() / SegmentName{77, 4242}.to_string());
  const Damage damage = only(check_of(journal));
  EXPECT_EQ(damage.kind, DamageKind::name);
  EXPECT_NE(damage.what.find(journal.segments()[1].to_string()), std::string::npos) << damage.what;
}

TEST(CheckJournal, ChecksTheFilesFeedAndCursors) {
  JournalMaker journal;
  journal.events(100, 400);
  test::must(store_cursors(journal.directory(), journal.identity().uuid, {CursorEntry{}}));
  EXPECT_TRUE(check_of(journal).intact());
  journal.flip_in_file(journal.path() / kCursorsFileName, 40);
  EXPECT_EQ(only(check_of(journal)).kind, DamageKind::cursors);
  std::filesystem::remove(journal.path() / kCursorsFileName);
  journal.flip_in_file(journal.path() / kIdentityFileName, 12);
  EXPECT_EQ(only(check_of(journal)).kind, DamageKind::identity);
  std::filesystem::remove(journal.path() / kIdentityFileName);
  const JournalCheck check = check_of(journal);
  EXPECT_EQ(only(check).kind, DamageKind::identity);
  EXPECT_EQ(check.identity.uuid, journal.identity().uuid);
}

TEST(CheckJournal, SaysWhatIsNeededWhenNothingProvesWhoseJournalItIs) {
  JournalMaker journal;
  journal.events(5);
  std::filesystem::remove(journal.path() / kIdentityFileName);
  journal.flip_in_file(journal.path() / journal.segments()[0].to_string(), 20);
  const auto check = check_journal(journal.directory());
  ASSERT_FALSE(check.ok());
  EXPECT_EQ(check.error().code, ErrorCode::corrupt);
  EXPECT_NE(check.error().message.find("from a backup"), std::string::npos) << check.error().message;
}

// A producer's payload may look like the headers of long records, so that each of them must be hashed, and in vain.
TEST(CheckJournal, IsNotHeldUpByBytesThatLookLikeHeaders) {
  JournalMaker journal(4 << 20);
  journal.events(1);
  const auto bad = journal.event(3 << 20);
  journal.events(1);
  journal.roll();
  RecordHeader fake{};
  fake.checksum = 1;
  fake.length = 1 << 20;
  fake.type = static_cast<std::uint16_t>(RecordType::event);
  fake.sequence = 3;
  std::string bytes;
  while (bytes.size() + sizeof fake <= bad.bytes) bytes.append(reinterpret_cast<const char*>(&fake), sizeof fake);
  journal.overwrite(bad.position, bytes);
  const Damage damage = only(check_of(journal));
  EXPECT_EQ(damage.first_lost, 2u);
  EXPECT_EQ(damage.last_lost, 2u);
}

// Each bit of a small journal: either its place is named, or it is padding and every event is there.
TEST(CheckJournal, NoticesEveryBitOfEveryRecord) {
  JournalMaker journal;
  journal.events(3, 1);
  journal.batch(2, true, 1);
  journal.roll();
  journal.events(1, 1);
  journal.close_cleanly();
  int harmless = 0;
  for (std::uint64_t position = 0; position < journal.position(); ++position) {
    for (unsigned char mask = 1; mask != 0; mask = static_cast<unsigned char>(mask << 1)) {
      journal.flip(position, mask);
      const JournalCheck check = check_of(journal);
      if (check.intact()) {
        ++harmless;
        ASSERT_EQ(test::read_over_gaps(journal).sequences.size(), 6u) << "bit " << int{mask} << " of " << position;
      } else {
        const Damage& damage = check.damages.front();
        ASSERT_EQ(damage.kind, DamageKind::records);
        ASSERT_LE(damage.from_position, position);
        ASSERT_GT(damage.to_position, position);
      }
      journal.flip(position, mask);
    }
  }
  EXPECT_LT(harmless, 6 * 8 * 8) << "less than a word of padding for each event";
}

}  // namespace
}  // namespace leat::internal
