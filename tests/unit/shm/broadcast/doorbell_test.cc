// The sleep/wake hand-shake: no wake-up is ever lost. A lost one would show as a sleep that ran into its time-out
// although the watermark had moved before: that is counted, not timed.
#include "shm/broadcast/doorbell.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"

namespace leat::internal {
namespace {

constexpr std::int64_t kLongNs = 30 * kNanosPerSecond;  // nothing but a lost wake-up takes so long

TEST(Doorbell, MakesNoSystemCallWhenNobodySleeps) {
  std::atomic<std::uint32_t> sleepers{0};
  EXPECT_FALSE(ring_doorbell(sleepers));
  sleepers.store(1);
  EXPECT_TRUE(ring_doorbell(sleepers));
  EXPECT_FALSE(somebody_sleeps(sleepers.load()));
  EXPECT_FALSE(ring_doorbell(sleepers));
}

// Whoever made the word odd before a wake-up, and sleeps on it only after that, is not let sleep.
TEST(Doorbell, EachWakeUpChangesTheWordForGood) {
  std::atomic<std::uint32_t> sleepers{1};
  ASSERT_TRUE(ring_doorbell(sleepers));
  sleepers.fetch_or(1);  // another goes to sleep
  EXPECT_NE(sleepers.load(), 1U);
}

TEST(Doorbell, DoesNotSleepWhenTheWatermarkHasMovedAlready) {
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<std::uint64_t> watermark{2};
  sleep_on(sleepers, watermark, 1, kLongNs);  // a hang here is ended by the watchdog
  EXPECT_EQ(sleepers.load(), 1u) << "a flag left set costs one wake-up too many, no more";
}

TEST(Doorbell, EndsASleepThatNobodyEndsAtItsTimeOut) {
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<std::uint64_t> watermark{1};
  sleep_on(sleepers, watermark, 1, kNanosPerMilli);
  sleep_on(sleepers, watermark, 1, 0);
  sleep_on(sleepers, watermark, 1, -5);
}

TEST(Doorbell, DoesNotSleepWhenTheWatermarkHasMovedInItsUpperHalfOnly) {
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<std::uint64_t> watermark{(1ULL << 32) | 7};
  sleep_on(sleepers, watermark, 7, kLongNs);
  SUCCEED();
}

TEST(Doorbell, WakesEverySleeper) {
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<std::uint64_t> watermark{0};
  std::atomic<int> awake{0};
  std::thread threads[3];
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      while (watermark.load(std::memory_order_acquire) == 0) sleep_on(sleepers, watermark, 0, kLongNs);
      ++awake;
    });
  }
  while (!somebody_sleeps(sleepers.load())) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  watermark.store(8, std::memory_order_release);
  ring_doorbell(sleepers);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(awake.load(), 3);
}

// Ping-pong: each side sleeps until the other has moved its watermark.
TEST(Doorbell, LosesNoWakeUpInAHundredThousandHandShakes) {
  constexpr std::uint64_t kRounds = 100'000;
  struct Side {
    std::atomic<std::uint32_t> sleepers{0};
    std::atomic<std::uint64_t> watermark{0};
  } ping, pong;
  std::atomic<std::uint64_t> lost{0};
  const auto wait_for = [&](Side& side, std::uint64_t round) {
    for (std::uint64_t seen = 0; (seen = side.watermark.load(std::memory_order_acquire)) < round;) {
      const std::int64_t begun = monotonic_ns();
      sleep_on(side.sleepers, side.watermark, seen, kLongNs);
      if (monotonic_ns() - begun >= kLongNs) ++lost;
    }
  };
  const auto move = [](Side& side, std::uint64_t round) {
    side.watermark.store(round, std::memory_order_release);
    ring_doorbell(side.sleepers);
  };
  std::thread other([&] {
    for (std::uint64_t round = 1; round <= kRounds && lost.load() == 0; ++round) {
      wait_for(ping, round);
      move(pong, round);
    }
  });
  for (std::uint64_t round = 1; round <= kRounds && lost.load() == 0; ++round) {
    move(ping, round);
    wait_for(pong, round);
  }
  if (lost.load() != 0) move(ping, kRounds);
  other.join();
  EXPECT_EQ(lost.load(), 0u);
}

}  // namespace
}  // namespace leat::internal
