// One stream over ring and journal: hand-overs in both directions neither skip nor repeat (I3), and what a failed copy
// leaves behind is never read.
#include "client-lib/read/record_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/fixtures/ring_and_journal.h"

namespace leat::client {
namespace {

using namespace internal;
using test::JournalMaker;

class StreamTest : public ::testing::Test, protected test::RingAndJournal {
 protected:
  explicit StreamTest(std::uint64_t ring_bytes = 8192, std::uint64_t segment_bytes = test::kTinySegment)
      : RingAndJournal(ring_bytes, segment_bytes) {}
  // Reads up to `most` events, as a consumer does, and checks each against what was written.
  RecordStream::Next read(RecordStream& from, std::size_t most, std::size_t& next) {
    for (std::size_t i = 0; i < most; ++i) {
      const auto& expected = journal.written().at(std::min(next, journal.written().size() - 1));
      RecordHeader header;
      if (const std::byte* const record = from.next_event(expected.sequence)) {
        header = header_at(record);
      } else {
        RecordView view;
        const auto found = from.next(view);
        if (found != RecordStream::Next::record) return found;
        header = view.header;
      }
      ++next;
      EXPECT_EQ(header.sequence, expected.sequence);
      EXPECT_EQ(header.timestamp_ns, expected.timestamp_ns);
      EXPECT_EQ(from.position(), expected.position + expected.bytes);
    }
    return RecordStream::Next::record;
  }
};

TEST_F(StreamTest, ReadsTheRingAloneWhileItsPlaceIsInTheWindow) {
  journal.events(40, 50);
  publish();
  RecordStream from = stream();
  std::size_t next = 0;
  EXPECT_EQ(read(from, 1000, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 40u);
  EXPECT_GT(from.ring_bytes, 0u);
  EXPECT_EQ(from.journal_bytes, 0u);
}

TEST_F(StreamTest, HandsOverFromTheJournalToTheRing) {
  journal.events(500, 200);
  publish();
  RecordStream from = stream();
  std::size_t next = 0;
  EXPECT_EQ(read(from, 10000, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 500u);
  EXPECT_GT(from.journal_bytes, 0u);
  EXPECT_EQ(from.position(), journal.position());
}

TEST_F(StreamTest, HandsOverToAndFroAsOftenAsItFallsBehind) {
  std::mt19937_64 random(test::test_seed());
  journal.events(1);
  publish();
  RecordStream from = stream();
  std::size_t next = 0;
  for (int round = 0; round < 400; ++round) {
    for (std::uint64_t i = random() % (round % 10 == 0 ? 60 : 8); i > 0; --i) journal.event(random() % 700);
    if (random() % 5 == 0) journal.mark_all();
    publish();
    const auto found = read(from, random() % 40, next);
    ASSERT_TRUE(found == RecordStream::Next::record || found == RecordStream::Next::empty) << from.error().message;
  }
  EXPECT_EQ(read(from, 1 << 20, next), RecordStream::Next::empty);
  EXPECT_EQ(next, journal.written().size());
  EXPECT_GT(from.ring_bytes, 0u);
  EXPECT_GT(from.journal_bytes, 0u);
}

TEST_F(StreamTest, GoesNoFurtherThanWhatIsDurableAtThatLevel) {
  journal.events(10);
  publish();
  RecordStream from = stream(Level::durable);
  std::size_t next = 0;
  EXPECT_EQ(read(from, 100, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 0u);
  header().durable.store(journal.written()[6].position);
  EXPECT_EQ(read(from, 100, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 6u);
}

TEST_F(StreamTest, NeverLooksBeyondWhatIsCommittedAlthoughTheJournalHoldsMore) {
  journal.events(10);
  publish();
  journal.events(10);  // appended, not committed
  RecordStream from = stream();
  std::size_t next = 0;
  EXPECT_EQ(read(from, 100, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 10u);
}

// With a ring too, whatever of a record is damaged: where nothing has to be decoded, and where it has.
TEST_F(StreamTest, SaysThatARecordOfTheJournalIsBad) {
  journal.events(500, 200);
  publish();
  const auto& damaged = journal.written()[5];
  for (std::uint64_t at = damaged.position; at < damaged.position + damaged.bytes; at += kWordBytes) {
    journal.flip(at);
    RecordStream from = stream();
    std::size_t next = 0;
    ASSERT_EQ(read(from, 1000, next), RecordStream::Next::failed) << at - damaged.position;
    EXPECT_EQ(from.error().code, ErrorCode::corrupt);
    EXPECT_EQ(next, 5u);
    journal.flip(at);
  }
}

TEST_F(StreamTest, SaysThatItsPlaceHasLeftTheJournal) {
  journal.events(500, 200);
  publish();
  RecordStream from = stream();
  const SegmentName second = journal.segments()[1];
  header().earliest_sequence.store(second.first_sequence);
  header().earliest_position.store(second.first_position);
  std::filesystem::remove(journal.path() / journal.segments()[0].to_string());
  RecordView record;
  EXPECT_EQ(from.next(record), RecordStream::Next::expired);
}

// The segment is recycled and written anew under its reader, who has copied wrong bytes by then.
TEST_F(StreamTest, SaysThatItsPlaceHasLeftTheJournalWhenItsSegmentWasRecycledUnderIt) {
  journal.events(500, 200);
  publish();
  RecordStream from = stream();
  std::size_t next = 0;
  ASSERT_EQ(read(from, 3, next), RecordStream::Next::record);
  from.seek(0);
  const SegmentName second = journal.segments()[1];
  header().earliest_position.store(second.first_position);
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  journal.roll();
  RecordView record;
  EXPECT_EQ(from.next(record), RecordStream::Next::expired);
}

TEST_F(StreamTest, SaysThatTheRingHoldsNoRecord) {
  journal.events(10);
  publish();
  store_word(writer.place(journal.written()[4].position + 8), 0);
  RecordStream from = stream();
  std::size_t next = 0;
  EXPECT_EQ(read(from, 100, next), RecordStream::Next::failed);
  EXPECT_EQ(next, 4u);
  EXPECT_EQ(from.error().code, ErrorCode::corrupt);
}

class WideStreamTest : public StreamTest {
 protected:
  WideStreamTest() : StreamTest(256 * 1024, 1 << 20) {}
};

// Lapped in the middle of a copy, and then the journal cannot be read either: the stream must stay where it is, and not
// take the bytes of the failed copy for records at the next call.
TEST_F(WideStreamTest, ReadsNothingOfAFailedCopyWhenTheJournalFailsToo) {
  while (journal.position() < 200 * 1024) journal.event(700);
  publish();
  RecordStream from = stream();
  std::filesystem::remove(journal.path() / kIdentityFileName);
  std::atomic<bool> stop{false};
  std::thread lapper([&] {
    while (!stop.load()) {
      header().intent.store(journal.position() + 1024 * 1024);
      header().intent.store(journal.position());
    }
  });
  std::uint64_t failures = 0;
  // Until it was lapped often enough in the middle of a copy, which takes two threads that really run side by side.
  for (int round = 0; (from.lapped < 50 || failures < 50) && !HasFailure(); ++round) {
    from.seek(0);
    std::size_t next = 0;
    for (int tries = 0; tries < 10000; ++tries) {
      const auto found = read(from, 1 << 20, next);
      if (found == RecordStream::Next::empty || HasFailure()) break;
      if (found != RecordStream::Next::failed || from.error().code == ErrorCode::corrupt) {
        ADD_FAILURE() << "round " << round << " at event " << next << ": " << static_cast<int>(found) << " "
                      << from.error().message;
        break;
      }
      ++failures;
    }
  }
  stop.store(true);
  lapper.join();
}

// Rings of a broken broker: an error or an end, never a loop without one.
TEST_F(StreamTest, SaysSoWhenTheRingEndsInTheMiddleOfARecord) {
  journal.events(3);
  publish();
  RecordStream from = stream();
  std::size_t next = 0;
  header().committed.store(journal.position() - 16);
  EXPECT_EQ(read(from, 10, next), RecordStream::Next::failed);
  EXPECT_EQ(next, 2u);
  EXPECT_NE(from.error().message.find("in the middle of the record"), std::string::npos) << from.error().message;
  header().committed.store(journal.position());
  EXPECT_EQ(read(from, 10, next), RecordStream::Next::empty) << "once it is whole, it is read";
  EXPECT_EQ(next, 3u);
}

TEST_F(StreamTest, ComesToAnEndOfMarksThatNeverEnd) {
  RecordHeader mark{};
  mark.length = kRecordHeaderBytes;
  mark.type = static_cast<std::uint16_t>(RecordType::mark);
  RecordStream from = stream();
  for (std::uint64_t at = 0; at + kRecordHeaderBytes <= writer.capacity(); at += kRecordHeaderBytes) {
    std::memcpy(writer.place(at), &mark, sizeof mark);
  }
  header().max_record_bytes = 0xffffffff;
  header().intent.store(0);
  header().committed.store(1ULL << 62);
  RecordView record;
  (void)from.next(record);  // whatever it says, it says it
  SUCCEED();
}

TEST_F(StreamTest, ReadsNothingFromAWatermarkThatIsNoPosition) {
  journal.events(2);
  publish();
  RecordStream from = stream();
  header().committed.store(journal.position() + 3);
  std::size_t next = 0;
  EXPECT_EQ(read(from, 10, next), RecordStream::Next::empty);
  EXPECT_EQ(next, 2u);
  from.seek(5);
  RecordView record;
  EXPECT_EQ(from.next(record), RecordStream::Next::failed);
}

}  // namespace
}  // namespace leat::client
