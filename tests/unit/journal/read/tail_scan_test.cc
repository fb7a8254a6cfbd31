// The verdict table of tail_scan.h: the function over all of its inputs, and each row on a real journal.
#include "journal/read/tail_scan.h"

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::internal {
namespace {

using test::JournalMaker;

// A segment judged as if it were all that is known, but for the feed's identity.
Result<TailScan> scan_tail(JournalFiles& files, const SegmentName& name,
                           const std::function<void(std::uint64_t, const RecordView&)>& on_record = {}) {
  auto scan = scan_segment(files, name, on_record);
  if (!scan) return scan;
  const FeedIdentity& identity = files.identity();
  if (identity.closed_cleanly()) scan->prove(identity.closed_position, identity.closed_sequence);
  scan->verdict = judge_tail(*scan, !files.in_last_segment());
  return scan;
}

TailScan scan_last(const JournalMaker& journal) {
  JournalFiles files = journal.files();
  return test::must(scan_tail(files, files.segments().back()));
}
TailScan scan_first(const JournalMaker& journal) {
  JournalFiles files = journal.files();
  return test::must(scan_tail(files, files.segments().front()));
}

TEST(JudgeTail, FollowsTheTableForAllItsInputs) {
  constexpr std::uint64_t kStop = 1000;
  for (unsigned bits = 0; bits < 32; ++bits) {
    TailScan scan;
    scan.bad_position = kStop;
    scan.zero_checksum = (bits & 1) != 0;
    scan.unfinished_batch = (bits & 2) != 0;
    scan.record_behind = (bits & 4) != 0;
    scan.sealed = (bits & 8) != 0;
    const bool later = (bits & 16) != 0;
    for (const std::uint64_t durable : {std::uint64_t{0}, kStop - 1, kStop, kStop + 1, ~std::uint64_t{0}}) {
      scan.durable_position = durable;
      TailVerdict expected = TailVerdict::torn;
      if (scan.zero_checksum && !scan.unfinished_batch && !scan.record_behind) expected = TailVerdict::clean_end;
      if (later || durable > kStop) expected = TailVerdict::corrupt;
      if (scan.sealed) expected = !later && durable > kStop ? TailVerdict::corrupt : TailVerdict::sealed;
      EXPECT_EQ(judge_tail(scan, later), expected) << "bits " << bits << " durable " << durable;
    }
  }
}

TEST(TailScan, TakesAnEmptySegmentForACleanEnd) {
  JournalMaker journal;
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::clean_end);
  EXPECT_EQ(scan.end_position, 0u);
  EXPECT_EQ(scan.end_sequence, 0u);
  EXPECT_EQ(scan.next_producer_id, 1u);
}

TEST(TailScan, TakesAZeroTailForACleanEnd) {
  JournalMaker journal;
  journal.producer_id = 6;
  journal.events(10);
  std::uint64_t seen = 0;
  JournalFiles files = journal.files();
  const auto check = [&](std::uint64_t at, const RecordView& record) {
    EXPECT_EQ(at, journal.written()[seen].position);
    EXPECT_EQ(record.header.sequence, ++seen);
  };
  const TailScan scan = test::must(scan_tail(files, files.segments().back(), check));
  EXPECT_EQ(seen, 10u);
  EXPECT_EQ(scan.verdict, TailVerdict::clean_end);
  EXPECT_EQ(scan.end_position, journal.position());
  EXPECT_EQ(scan.end_sequence, 10u);
  EXPECT_EQ(scan.last_timestamp_ns, journal.written().back().timestamp_ns);
  EXPECT_EQ(scan.next_producer_id, 7u);
}

TEST(TailScan, CallsAHalfWrittenLastRecordTorn) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t whole = journal.position();
  journal.event(100);
  journal.overwrite(journal.position() - 16, std::string(16, '\0'));
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::torn);
  EXPECT_EQ(scan.bad_position, whole);
  EXPECT_EQ(scan.end_position, whole);
  EXPECT_EQ(scan.end_sequence, 5u);
  EXPECT_GT(scan.garbage_end, whole);
  EXPECT_LE(scan.garbage_end, journal.position());
}

TEST(TailScan, ProvesNothingByAGoodRecordBehindABadOne) {
  JournalMaker journal;
  journal.events(5);
  const auto bad = journal.event();
  journal.events(3);
  journal.flip(bad.position + 50);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::torn);
  EXPECT_EQ(scan.bad_position, bad.position);
  EXPECT_EQ(scan.garbage_end, journal.position()) << "all that is behind it is cut";
}

TEST(TailScan, CallsABadRecordBeforeAMarkCorrupt) {
  JournalMaker journal;
  journal.events(5);
  const auto bad = journal.event();
  journal.events(3);
  journal.mark_all();
  journal.events(2);
  journal.flip(bad.position + 50);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::corrupt);
  EXPECT_EQ(scan.bad_position, bad.position);
  EXPECT_EQ(scan.end_sequence, 5u);
  EXPECT_EQ(scan.durable_sequence, 9u);
}

TEST(TailScan, CallsABadRecordAtAMarksPositionTorn) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t durable = journal.position();
  const auto bad = journal.event();
  journal.mark(durable, 5);
  journal.flip(bad.position + 50);
  EXPECT_EQ(scan_last(journal).verdict, TailVerdict::torn) << "the mark proves what lies below it, and no more";
}

TEST(TailScan, BelievesNoMarkThatFailsItsChecksum) {
  JournalMaker journal;
  journal.events(5);
  const auto bad = journal.event();
  const std::uint64_t mark = journal.position() + 0;
  journal.mark_all();
  journal.flip(mark + kRecordHeaderBytes);
  journal.flip(bad.position + 50);
  EXPECT_EQ(scan_last(journal).verdict, TailVerdict::torn);
}

TEST(TailScan, CallsAZeroedRecordBeforeAMarkCorrupt) {
  JournalMaker journal;
  journal.events(3);
  const auto lost = journal.event();
  journal.mark_all();
  journal.overwrite(lost.position, std::string(lost.bytes, '\0'));
  EXPECT_EQ(scan_last(journal).verdict, TailVerdict::corrupt);
}

TEST(TailScan, FindsAMarkFarBehindTheBadRecord) {
  JournalMaker journal(4 << 20);
  journal.events(3);
  const auto bad = journal.event();
  while (journal.position() < (3 << 20)) journal.event(5000);
  journal.mark_all();
  journal.flip(bad.position);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::corrupt);
  EXPECT_EQ(scan.durable_sequence, journal.sequence());
}

TEST(TailScan, FindsAMarkThatLiesAcrossTheBorderOfTwoReads) {
  for (int shift = -80; shift <= 16; shift += 8) {
    JournalMaker journal(4 << 20);
    const auto bad = journal.event();  // the search for marks starts here, in reads of 1 MiB
    const std::uint64_t border = bad.position + (1 << 20) + static_cast<std::uint64_t>(shift);
    while (journal.position() + 4096 < border) journal.event(900);
    const std::size_t key = 1 + std::to_string(journal.sequence() + 1).size();
    journal.event(border - journal.position() - padded_record_bytes(record_length(10, key, 0, 0)));
    ASSERT_LE(journal.position() - border, 16u);
    journal.mark_all();
    journal.flip(bad.position + 20);
    ASSERT_EQ(scan_last(journal).verdict, TailVerdict::corrupt) << "mark at border " << shift;
  }
}

TEST(TailScan, CallsABadRecordInASealedSegmentCorrupt) {
  JournalMaker journal;
  journal.events(5);
  const auto bad = journal.written()[2];
  journal.roll();
  journal.events(5);
  journal.flip(bad.position + 50);
  const TailScan scan = scan_first(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::corrupt);
  EXPECT_EQ(scan.bad_position, bad.position);
  EXPECT_EQ(scan.end_sequence, 2u);
}

TEST(TailScan, CallsAMissingSegmentEndBeforeALaterSegmentCorrupt) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t end = journal.position();
  journal.roll();
  journal.overwrite(end, std::string(kSegmentEndRecordBytes, '\0'));
  EXPECT_EQ(scan_first(journal).verdict, TailVerdict::corrupt);
}

TEST(TailScan, CallsASealedLastSegmentSealed) {
  JournalMaker journal;
  journal.events(5);
  journal.segment_end();
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::sealed);
  EXPECT_EQ(scan.end_position, journal.position());
  EXPECT_EQ(scan.end_sequence, 5u);
}

TEST(TailScan, LeavesAnUnfinishedBatchOut) {
  JournalMaker journal;
  journal.events(4);
  const std::uint64_t whole = journal.position();
  journal.batch(3, false);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::torn);
  EXPECT_EQ(scan.end_position, whole);
  EXPECT_EQ(scan.end_sequence, 4u);
  EXPECT_GT(scan.bad_position, whole);
}

TEST(TailScan, TakesAFinishedBatchIn) {
  JournalMaker journal;
  journal.batch(3);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::clean_end);
  EXPECT_EQ(scan.end_sequence, 3u);
}

TEST(TailScan, CallsAnEndBelowACleanCloseCorrupt) {
  JournalMaker journal;
  journal.events(5);
  journal.close_cleanly();
  EXPECT_EQ(scan_last(journal).verdict, TailVerdict::clean_end);
  const auto last = journal.written().back();
  journal.overwrite(last.position, std::string(last.bytes, '\0'));
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::corrupt);
  EXPECT_EQ(scan.durable_sequence, 5u);
  EXPECT_EQ(scan.end_sequence, 4u);
}

TEST(TailScan, CallsASealedEndBelowACleanCloseCorrupt) {
  JournalMaker journal;
  journal.events(5);
  journal.segment_end();
  journal.identity().closed_position = journal.position() + 500;
  journal.store(journal.identity());
  EXPECT_EQ(scan_last(journal).verdict, TailVerdict::corrupt);
}

TEST(TailScan, TakesStaleBytesOfARecycledSegmentForTheEnd) {
  JournalMaker journal;
  journal.events(60);  // fills the first segment well
  journal.roll();
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments().front())));
  journal.roll();  // into the recycled file
  journal.events(2);
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::clean_end);
  EXPECT_EQ(scan.end_position, journal.position());
  EXPECT_EQ(scan.end_sequence, journal.sequence());
}

TEST(TailScan, LetsNoStaleRecordOfARecycledSegmentPassForALiveOne) {
  JournalMaker journal;
  journal.events(60);
  journal.roll();
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments().front())));
  journal.roll();
  const auto one = journal.event(40);
  // As if the terminator behind it had been lost: the old bytes stand there now.
  journal.overwrite(one.position + one.bytes, "\x11");
  const TailScan scan = scan_last(journal);
  EXPECT_EQ(scan.verdict, TailVerdict::torn);
  EXPECT_EQ(scan.end_sequence, one.sequence);
}

TEST(TailScan, RefusesASegmentWithADamagedHeader) {
  JournalMaker journal;
  journal.events(3);
  journal.flip_in_file(journal.place_of(0).file, 40);
  JournalFiles files = journal.files();
  const auto scan = scan_tail(files, files.segments().back());
  ASSERT_FALSE(scan.ok());
  EXPECT_EQ(scan.error().code, ErrorCode::corrupt);
}

// Every single byte of a small journal's data, flipped: never a crash, never a record that was not written, and the end
// found is that of a whole record.
TEST(TailScan, StandsEveryFlippedByte) {
  JournalMaker journal;
  journal.events(4, 4);  // no padding, which no checksum covers
  const std::uint64_t end = journal.position();
  for (std::uint64_t at = 0; at < end; ++at) {
    journal.flip(at, 0x5a);
    const TailScan scan = scan_last(journal);
    EXPECT_EQ(scan.verdict, TailVerdict::torn) << "byte " << at;
    std::uint64_t good = 0;
    while (good < 4 && journal.written()[good].position + journal.written()[good].bytes <= at) ++good;
    EXPECT_EQ(scan.end_sequence, good) << "byte " << at;
    journal.flip(at, 0x5a);
  }
}

}  // namespace
}  // namespace leat::internal
