// Both ends of an arena over one memory: room, wrap-around, what is held, and headers nobody may believe.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>

#include "tests/unit/fixtures/small_arena.h"

namespace leat::broker {
namespace {

using namespace internal;

class Arena : public test::SmallArena {
 protected:
  // Fills an entry with a pattern; its position, or nothing when the arena is full.
  std::optional<std::uint64_t> write(std::uint64_t record_bytes) {
    std::byte* const to = writer.reserve(record_bytes);
    if (to == nullptr) return std::nullopt;
    const std::uint64_t position = writer.tail();
    std::memset(to, static_cast<int>(position / 64 % 251), record_bytes);
    writer.seal(static_cast<std::uint32_t>(record_bytes), 1, ++sequence_);
    writer.advance(record_bytes);
    return position;
  }
  void expect_entry(std::uint64_t position, std::uint64_t record_bytes, std::uint64_t sequence) {
    Entry entry;
    ASSERT_TRUE(reader.read(position, entry));
    ASSERT_EQ(entry.record_bytes, record_bytes);
    ASSERT_EQ(entry.count, 1u);
    ASSERT_EQ(entry.producer_sequence, sequence);
    const std::string expected(record_bytes, static_cast<char>(position / 64 % 251));
    ASSERT_EQ(std::memcmp(entry.records, expected.data(), record_bytes), 0);
  }
  EntryHeader& header_at(std::uint64_t position) {
    return *reinterpret_cast<EntryHeader*>(mapping_.data() + kArenaDataOffset + position % kCapacity);
  }

  std::uint64_t sequence_ = 0;
};

TEST_F(Arena, CarriesEntriesRoundItsEndAtEverySize) {
  const std::uint64_t most = max_entry_record_bytes(kCapacity);
  for (std::uint64_t bytes = kRecordHeaderBytes; bytes <= most; bytes += 8) {
    for (int i = 0; i < 12; ++i) {
      const auto position = write(bytes);
      ASSERT_TRUE(position.has_value()) << bytes;
      expect_entry(*position, bytes, sequence_);
      reader.completion(*position).store(pack_completion(CompletionStatus::committed, sequence_));
      reader.release(*position + entry_bytes(bytes));
    }
  }
  EXPECT_GT(writer.tail(), 100 * kCapacity);
}

TEST_F(Arena, KeepsEntriesWholeWithManyInFlight) {
  std::mt19937_64 random(test::test_seed());
  struct InFlight {
    std::uint64_t position, bytes, sequence;
  };
  std::deque<InFlight> entries;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bytes = 48 + 8 * (random() % 60);
    if (const auto position = write(bytes)) {
      entries.push_back({*position, bytes, sequence_});
    } else {
      ASSERT_FALSE(entries.empty()) << "an empty arena has room for any entry";
    }
    while (!entries.empty() && random() % 3 == 0) {
      const InFlight oldest = entries.front();
      entries.pop_front();
      expect_entry(oldest.position, oldest.bytes, oldest.sequence);
      ASSERT_TRUE(writer.held(oldest.position));
      reader.release(oldest.position + entry_bytes(oldest.bytes));
    }
  }
}

TEST_F(Arena, IsFullWhenItsRoomIsTakenAndHasRoomAgainWhenConsumed) {
  std::vector<std::uint64_t> positions;
  while (const auto position = write(480)) positions.push_back(*position);
  EXPECT_EQ(positions.size(), 8u);
  EXPECT_EQ(writer.reserve(48), nullptr);
  reader.release(positions[1]);
  EXPECT_TRUE(write(480).has_value());
  EXPECT_FALSE(write(480).has_value());
}

// A forged ticket can have an entry consumed that its producer had sealed and then taken back.
TEST_F(Arena, HasRoomWhenMoreIsConsumedThanWasPublished) {
  while (write(480)) {
  }
  reader.release(writer.tail() + 1024);
  EXPECT_NE(writer.reserve(480), nullptr);
  EXPECT_NE(writer.reserve(max_entry_record_bytes(kCapacity)), nullptr);
}

TEST_F(Arena, HoldsAnEntryUntilItsBytesAreHandedOutAgain) {
  const std::uint64_t first = *write(992);  // 1024 with its header
  const std::uint64_t second = *write(992);
  reader.completion(first).store(pack_completion(CompletionStatus::committed, 77));
  EXPECT_EQ(completion_value(writer.completion(first)), 77u);
  reader.release(second + 1024);
  (void)*write(992);
  (void)*write(992);
  EXPECT_TRUE(writer.held(first));
  ASSERT_NE(writer.reserve(48), nullptr);  // never sealed, but its room overlaps the first entry
  EXPECT_FALSE(writer.held(first));
  EXPECT_TRUE(writer.held(second));
}

TEST_F(Arena, OverwritesAnEntryThatGotNoTicket) {
  ASSERT_NE(writer.reserve(100 * 8), nullptr);
  writer.seal(800, 1, 1);
  const auto position = write(48);
  EXPECT_EQ(*position, 0u) << "nothing was advanced";
  expect_entry(0, 48, 1);
}

TEST_F(Arena, ShowsNoReceiptOfAnEarlierLap) {
  const std::uint64_t first = *write(480);
  reader.completion(first).store(pack_completion(CompletionStatus::committed, 7));
  std::uint64_t position = first;
  while (position < kCapacity) {
    reader.release(writer.tail());
    position = *write(480);
  }
  ASSERT_EQ(position, kCapacity) << "the same place, one lap on";
  EXPECT_EQ(completion_status(writer.completion(position)), CompletionStatus::pending);
}

TEST_F(Arena, RefusesAnEntryOfAnEarlierLap) {
  std::uint64_t position = *write(480);
  while (position < kCapacity - 512) {
    reader.release(writer.tail());
    position = *write(480);
  }
  Entry entry;
  EXPECT_TRUE(reader.read(0, entry));
  EXPECT_FALSE(reader.read(kCapacity, entry)) << "the same place, one lap on";
  EXPECT_FALSE(reader.read(64, entry)) << "not where an entry begins";
}

TEST_F(Arena, RefusesEveryHeaderFieldOutOfBounds) {
  const std::uint64_t position = *write(480);
  Entry entry;
  const auto refused = [&](auto spoil) {
    const std::uint32_t bytes = header_at(position).record_bytes;
    const std::uint32_t count = header_at(position).count;
    spoil(header_at(position));
    const bool read = reader.read(position, entry);
    header_at(position).record_bytes = bytes;
    header_at(position).count = count;
    header_at(position).position = position;
    return !read;
  };
  ASSERT_TRUE(reader.read(position, entry));
  for (const std::uint32_t bytes : {0U, 8U, 40U, 47U, 49U, 481U, static_cast<std::uint32_t>(kCapacity / 2 - 56),
                                    static_cast<std::uint32_t>(kCapacity), 0x80000000U, 0xfffffff8U, 0xffffffffU}) {
    EXPECT_TRUE(refused([&](EntryHeader& h) { h.record_bytes = bytes; })) << bytes;
  }
  for (const std::uint32_t count : {0U, kMaxEntryRecords + 1, 0xffffffffU}) {
    EXPECT_TRUE(refused([&](EntryHeader& h) { h.count = count; })) << count;
  }
  for (const std::uint64_t other : {std::uint64_t{64}, kCapacity, ~std::uint64_t{0}}) {
    EXPECT_TRUE(refused([&](EntryHeader& h) { h.position = other; })) << other;
  }
  EXPECT_TRUE(reader.read(position, entry));
}

TEST_F(Arena, WakesOnlyAProducerThatWaitsForThis) {
  ArenaHeader& header = reader.header();
  reader.wake(kWaitCommitted);
  EXPECT_EQ(header.receipt_word.load(), 0u);
  header.waiting.store(kWaitDurable);
  reader.wake(kWaitCommitted | kWaitRoom);
  EXPECT_EQ(header.receipt_word.load(), 0u);
  EXPECT_EQ(header.waiting.load(), kWaitDurable);
  header.waiting.store(kWaitDurable | kWaitCommitted);
  reader.wake(kWaitCommitted);
  EXPECT_EQ(header.receipt_word.load(), 1u);
  EXPECT_EQ(header.waiting.load(), kWaitDurable) << "what it was not woken for, it still waits for";
}

}  // namespace
}  // namespace leat::broker
