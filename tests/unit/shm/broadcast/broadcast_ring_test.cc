// Copy, then check: walked through every interleaving of a small ring by hand, and run with threads.
#include "shm/broadcast/broadcast_ring.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "tests/unit/fixtures/shared_buffer.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

// What the word at `position` of the string must read.
std::uint64_t pattern(std::uint64_t position) { return (position + 1) * 0x9e3779b97f4a7c15ULL; }

class BroadcastRing : public ::testing::Test {
 protected:
  explicit BroadcastRing(std::uint64_t capacity = 64) : capacity_(capacity), memory_(kBroadcastDataOffset + capacity) {
    for (Watermark& slot : header().latest) slot.position.store(BroadcastWriter::kNoPosition);
  }
  BroadcastHeader& header() { return *reinterpret_cast<BroadcastHeader*>(memory_.data()); }
  BroadcastWriter writer() { return {memory_.data(), capacity_}; }
  BroadcastReader reader() { return {memory_.data(), capacity_}; }
  static void write_words(BroadcastWriter& to, std::uint64_t from, std::uint64_t end) {
    for (std::uint64_t at = from; at < end; at += kWordBytes) store_word(to.place(at), pattern(at));
  }
  static void expect_pattern(const std::vector<std::uint64_t>& words, std::uint64_t position) {
    for (std::size_t i = 0; i < words.size(); ++i) ASSERT_EQ(words[i], pattern(position + i * kWordBytes));
  }

  std::uint64_t capacity_;
  test::SharedBuffer memory_;
};

TEST_F(BroadcastRing, HandsOutWhatWasCommitted) {
  BroadcastWriter to = writer();
  to.raise_intent(32);
  write_words(to, 0, 32);
  EXPECT_EQ(reader().committed(), 0u);
  to.commit(32, 3);
  EXPECT_EQ(reader().committed(), 32u);
  EXPECT_EQ(reader().read_latest().sequence, 3u);
  std::vector<std::uint64_t> copy(4);
  ASSERT_TRUE(reader().copy(0, 32, copy.data()));
  expect_pattern(copy, 0);
}

TEST_F(BroadcastRing, NeverLowersTheIntent) {
  BroadcastWriter to = writer();
  to.raise_intent(128);
  to.raise_intent(64);
  EXPECT_EQ(header().intent.load(), 128u);
}

TEST_F(BroadcastRing, KeepsTheWindowToTheByte) {
  BroadcastWriter to = writer();
  to.raise_intent(capacity_);
  EXPECT_TRUE(reader().in_window(0));
  to.raise_intent(capacity_ + 8);
  EXPECT_FALSE(reader().in_window(0));
  EXPECT_TRUE(reader().in_window(8));
  EXPECT_TRUE(reader().in_window(16, 8));
  EXPECT_FALSE(reader().in_window(8, 8)) << "a margin asks for room to spare";
}

TEST_F(BroadcastRing, HoldsNothingBelowItsFirstPosition) {
  header().start_position = 4096;
  header().intent.store(4096 + 32);
  EXPECT_FALSE(reader().in_window(4096 - 8));
  EXPECT_TRUE(reader().in_window(4096));
}

// The writer goes word by word; the reader copies some words, the writer goes on, the reader copies the rest. Whatever
// the two do, a copy that passes the check holds the string's bytes.
TEST_F(BroadcastRing, NeverAcceptsATornCopyWhereverTheWriterStands) {
  const std::uint64_t words = capacity_ / kWordBytes;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t before = 0; before <= 2 * words + 1; ++before) {       // steps of the writer before the copy
    for (std::uint64_t between = 0; between <= 2 * words + 1; ++between) {  // and in its middle
      for (std::uint64_t split = 0; split <= words; ++split) {
        BroadcastWriter to(memory_.data(), capacity_);
        header().intent.store(0);
        header().committed.store(0);
        to = BroadcastWriter(memory_.data(), capacity_);
        to.raise_intent(capacity_);
        write_words(to, 0, capacity_);
        to.commit(capacity_, 1);
        std::uint64_t next = capacity_;
        const auto writer_steps = [&](std::uint64_t steps) {
          for (; steps > 0; --steps) {
            // Two steps a word: announce it, store it.
            if (header().intent.load() == next) {
              to.raise_intent(next + kWordBytes);
            } else {
              write_words(to, next, next + kWordBytes);
              next += kWordBytes;
            }
          }
        };
        std::vector<std::uint64_t> copy(words);
        const BroadcastReader from = reader();
        writer_steps(before);
        (void)from.copy(0, split * kWordBytes, copy.data());
        writer_steps(between);
        (void)from.copy(split * kWordBytes, capacity_ - split * kWordBytes, copy.data() + split);
        if (!from.in_window(0)) {
          ++refused;
          continue;
        }
        ++accepted;
        expect_pattern(copy, 0);
      }
    }
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_GT(refused, 0u);
}

struct LatestState {
  std::uint64_t position[2];
  std::uint64_t sequence[2];
  std::uint64_t committed;
};

class BroadcastLatest : public BroadcastRing {
 protected:
  LatestState look() {
    const BroadcastHeader& h = header();
    return {{h.latest[0].position.load(), h.latest[1].position.load()},
            {h.latest[0].sequence.load(), h.latest[1].sequence.load()},
            h.committed.load()};
  }
  void restore(const LatestState& state) {
    for (int i = 0; i < 2; ++i) {
      header().latest[i].position.store(state.position[i]);
      header().latest[i].sequence.store(state.sequence[i]);
    }
    header().committed.store(state.committed);
  }
  // The states between `before` and `after` one commit, in program order.
  static std::vector<LatestState> states(const LatestState& before, const LatestState& after) {
    const int slot = before.position[0] != after.position[0] ? 0 : 1;
    std::vector<LatestState> all = {before};
    LatestState state = before;
    state.position[slot] = BroadcastWriter::kNoPosition;
    all.push_back(state);
    state.sequence[slot] = after.sequence[slot];
    all.push_back(state);
    state.position[slot] = after.position[slot];
    all.push_back(state);
    all.push_back(after);
    return all;
  }
};

TEST_F(BroadcastLatest, StaysReadableAfterADeathAnywhereInACommitAndASecondOneInTheNext) {
  for (int commits_before = 1; commits_before <= 4; ++commits_before) {
    restore({{BroadcastWriter::kNoPosition, BroadcastWriter::kNoPosition}, {0, 0}, 0});
    BroadcastWriter first = writer();
    first.raise_intent(3000);
    for (std::uint64_t i = 1; i <= static_cast<std::uint64_t>(commits_before); ++i) first.commit(100 * i, i);
    const LatestState before = look();
    first.commit(1000, 50);
    for (const LatestState& death : states(before, look())) {
      restore(death);
      const Place place = reader().read_latest();
      EXPECT_EQ(place.position, death.committed);
      EXPECT_EQ(place.sequence, death.committed == 1000 ? 50u : static_cast<std::uint64_t>(commits_before));
      BroadcastWriter successor = writer();
      successor.commit(2000, 90);
      for (const LatestState& second_death : states(death, look())) {
        restore(second_death);
        const Place again = reader().read_latest();
        EXPECT_EQ(again.position, second_death.committed);
        BroadcastWriter third = writer();
        third.commit(3000, 99);
        EXPECT_EQ(reader().read_latest().position, 3000u);
        EXPECT_EQ(reader().read_latest().sequence, 99u);
      }
    }
  }
}

TEST_F(BroadcastLatest, AgreesAfterACommitOfTheSamePosition) {
  BroadcastWriter to = writer();
  to.raise_intent(64);
  to.commit(64, 5);
  const LatestState before = look();
  to = writer();
  to.commit(64, 5);  // what a successor does that has nothing to add
  for (const LatestState& state : states(before, look())) {
    restore(state);
    EXPECT_EQ(reader().read_latest().sequence, 5u);
  }
}

class BroadcastThreads : public BroadcastRing {
 protected:
  BroadcastThreads() : BroadcastRing(512) {}

  // Bytes from `position` on that do not cross the place where the plain buffer, which has no mirror, ends.
  [[nodiscard]] std::uint64_t run_bytes(std::uint64_t position, std::uint64_t wanted) const {
    return std::min(wanted, capacity_ - position % capacity_);
  }

  void write(std::uint64_t total) {
    std::mt19937_64 random(test::test_seed());
    BroadcastWriter to = writer();
    for (std::uint64_t position = 0; position < total;) {
      const std::uint64_t bytes = run_bytes(position, 8 * (1 + random() % 16));
      to.raise_intent(position + bytes);
      write_words(to, position, position + bytes);
      position += bytes;
      to.commit(position, position * 3);
      if (random() % 64 == 0) std::this_thread::yield();
    }
  }

  void read(std::uint64_t total, unsigned seed, std::uint64_t& accepted) {
    std::mt19937_64 random(test::test_seed() + seed);
    const BroadcastReader from = reader();
    std::vector<std::uint64_t> copy(capacity_ / kWordBytes);
    std::uint64_t position = 0;
    while (position < total) {
      const std::uint64_t committed = from.committed();
      if (committed == position) {
        std::this_thread::yield();
        continue;
      }
      const std::uint64_t bytes = run_bytes(position, std::min(committed - position, capacity_));
      if (from.in_window(position) && from.copy(position, bytes, copy.data())) {
        ++accepted;
        for (std::uint64_t i = 0; i < bytes / kWordBytes; ++i) {
          ASSERT_EQ(copy[i], pattern(position + i * kWordBytes)) << "torn at " << position;
        }
        position += bytes;
      } else {
        ++lapped_;
        const std::uint64_t newest = from.committed();
        position = newest - std::min<std::uint64_t>(newest, 8 * (random() % 8));
      }
    }
  }

  std::atomic<std::uint64_t> lapped_{0};
};

TEST_F(BroadcastThreads, ReadersNeverAcceptATornCopy) {
  constexpr std::uint64_t kTotal = 8 << 20;
  std::uint64_t accepted[2] = {0, 0};
  std::thread first([&] { read(kTotal, 1, accepted[0]); });
  std::thread second([&] { read(kTotal, 2, accepted[1]); });
  write(kTotal);
  first.join();
  second.join();
  EXPECT_GT(accepted[0] + accepted[1], 0u);
  RecordProperty("lapped", static_cast<int>(lapped_.load()));
}

TEST_F(BroadcastThreads, LatestIsAlwaysAPairThatWasCommitted) {
  constexpr std::uint64_t kTotal = 4 << 20;
  std::thread readers[2];
  for (std::thread& thread : readers) {
    thread = std::thread([&] {
      const BroadcastReader from = reader();
      std::uint64_t last = 0;
      while (last < kTotal) {
        const Place place = from.read_latest();
        ASSERT_EQ(place.sequence, place.position * 3);
        ASSERT_GE(place.position, last);
        last = place.position;
      }
    });
  }
  BroadcastWriter start = writer();
  start.commit(0, 0);
  write(kTotal);
  for (std::thread& thread : readers) thread.join();
}

}  // namespace
}  // namespace leat::internal
