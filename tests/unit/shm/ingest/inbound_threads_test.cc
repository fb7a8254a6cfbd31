// Many producer threads against one sequencer thread that skips at random: no accepted ticket is lost or repeated, and
// the order is the order in which publishes returned (I4, I6).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "shm/ingest/inbound_ring.h"
#include "tests/unit/fixtures/shared_buffer.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

struct Params {
  std::uint64_t slots;
  std::uint32_t threads;
  std::uint64_t per_thread;
  unsigned skip_one_in;  // of the looks at an empty, taken slot
};

struct Sighting {
  std::uint32_t producer;
  std::uint64_t number;
};

class InboundRingThreads : public ::testing::TestWithParam<Params> {
 protected:
  // Publishes 1..per_thread. `clock` is a count that grows over all threads: its value before and after each publish
  // says which publishes came one after the other in real time.
  void produce(std::uint32_t producer, std::vector<std::uint64_t>& before, std::vector<std::uint64_t>& after) {
    InboundProducer ring(memory_.data(), GetParam().slots, GetParam().threads);
    std::mt19937_64 random(test::test_seed() + producer);
    for (std::uint64_t number = 1; number <= GetParam().per_thread; ++number) {
      before[number] = clock_.fetch_add(1);
      for (;;) {
        if (!ring.has_room()) {
          std::this_thread::yield();
          continue;
        }
        const std::uint64_t ticket = ring.take_ticket();
        if (random() % 16 == 0) std::this_thread::yield();  // be slow between ticket and fill
        const Fill filled = ring.fill(ticket, full_slot(producer, 1, number * kPositionUnit));
        if (filled == Fill::ok) break;
        ++refused_;
      }
      after[number] = clock_.fetch_add(1);
    }
  }

  void sequence(std::uint64_t total) {
    InboundConsumer ring(memory_.data(), GetParam().slots, 0);
    std::mt19937_64 random(test::test_seed() ^ 0x5eed);
    for (std::uint64_t head = 0; seen_.size() < total;) {
      const std::uint64_t slot = ring.peek(head);
      if (is_full(slot)) {
        const Ticket ticket = parse_full_slot(slot);
        seen_.push_back({ticket.producer_slot, ticket.position_units});
        ring.release(head);
      } else if (slot == ring.unfilled(head)) {
        if (!ring.taken(head) || random() % GetParam().skip_one_in != 0 || !ring.skip(head)) {
          std::this_thread::yield();
          continue;
        }
        ++skipped_;
      } else {
        ADD_FAILURE() << "slot " << head << " holds " << slot;
        return;
      }
      ring.publish_head(++head);
    }
    EXPECT_FALSE(ring.repair_tail());
  }

  test::SharedBuffer memory_{inbound_file_bytes(GetParam().slots)};
  std::atomic<std::uint64_t> clock_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::uint64_t skipped_ = 0;
  std::vector<Sighting> seen_;
};

TEST_P(InboundRingThreads, SeesEveryAcceptedTicketOnceAndInRealTimeOrder) {
  const std::uint32_t threads = GetParam().threads;
  const std::uint64_t per_thread = GetParam().per_thread;
  std::vector<std::vector<std::uint64_t>> before(threads, std::vector<std::uint64_t>(per_thread + 1));
  auto after = before;
  std::vector<std::thread> running;
  for (std::uint32_t p = 0; p < threads; ++p) running.emplace_back([&, p] { produce(p, before[p], after[p]); });
  std::thread sequencer([&] { sequence(threads * per_thread); });
  for (auto& thread : running) thread.join();
  sequencer.join();

  ASSERT_EQ(seen_.size(), threads * per_thread);
  EXPECT_EQ(refused_.load(), skipped_) << "every skip refuses exactly one claim, and nothing else does";
  std::vector<std::uint64_t> next(threads, 1);
  std::uint64_t latest_begin = 0;  // of all publishes seen so far
  for (const Sighting& sighting : seen_) {
    ASSERT_LT(sighting.producer, threads);
    ASSERT_EQ(sighting.number, next[sighting.producer]++) << "producer " << sighting.producer;
    // None that was seen before may have begun after this one had returned.
    ASSERT_GT(after[sighting.producer][sighting.number], latest_begin);
    latest_begin = std::max(latest_begin, before[sighting.producer][sighting.number]);
  }
}

INSTANTIATE_TEST_SUITE_P(Rings, InboundRingThreads,
                         ::testing::Values(Params{64, 4, 20000, 3}, Params{64, 8, 5000, 1}, Params{1024, 3, 20000, 50},
                                           Params{64, 2, 40000, 1000000}));

}  // namespace
}  // namespace leat::internal
