// The model itself: it shows what C++20 permits, and nothing that it forbids. Small programs of two threads, as in the
// literature (store buffering, message passing).
#include <gtest/gtest.h>

#include <functional>

#include "base/atomic.h"
#include "tests/interleave/scheduler.h"

namespace leat::sim {
namespace {

using internal::Atomic;
using internal::thread_fence;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

struct Two {
  Atomic<std::uint64_t> x;
  Atomic<std::uint64_t> y;
};

/// How many of 2000 runs of `left` beside `right` end in `bad`.
template <typename Left, typename Right>
int count(Left left, Right right, const std::function<bool()>& bad, Removed removed = Removed::nothing) {
  static Memory memory(4096);
  static Scheduler scheduler(memory);
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    memory.reset(removed);
    memory.set_stale(2);
    scheduler.reset(random, 2);
    Two& two = *reinterpret_cast<Two*>(memory.base());
    scheduler.add({.name = "left", .body = [&] { left(two); }});
    scheduler.add({.name = "right", .body = [&] { right(two); }});
    scheduler.run();
    if (bad()) ++found;
  }
  return found;
}

class StoreBuffering : public ::testing::Test {
 protected:
  // Each stores into its own and looks at the other's: both may see nothing, unless full fences stand between.
  int both_see_nothing(std::memory_order store, std::memory_order load, bool fences,
                       Removed removed = Removed::nothing) {
    return count(
        [&](Two& t) {
          t.x.store(1, store);
          if (fences) thread_fence(kSeqCst);
          a = t.y.load(load);
        },
        [&](Two& t) {
          t.y.store(1, store);
          if (fences) thread_fence(kSeqCst);
          b = t.x.load(load);
        },
        [&] { return a == 0 && b == 0; }, removed);
  }
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};

TEST_F(StoreBuffering, IsPermittedToRelaxedAndToReleaseAndAcquire) {
  EXPECT_GT(both_see_nothing(kRelaxed, kRelaxed, false), 0);
  EXPECT_GT(both_see_nothing(kRelease, kAcquire, false), 0);
}

TEST_F(StoreBuffering, IsForbiddenByFullFencesAndBySequentialConsistency) {
  EXPECT_EQ(both_see_nothing(kRelaxed, kRelaxed, true), 0);
  EXPECT_EQ(both_see_nothing(kSeqCst, kSeqCst, false), 0);
}

TEST_F(StoreBuffering, ComesBackWithTheFenceOrTheOrderRemoved) {
  EXPECT_GT(both_see_nothing(kRelaxed, kRelaxed, true, Removed::seq_cst_fences), 0);
  EXPECT_GT(both_see_nothing(kSeqCst, kSeqCst, false, Removed::seq_cst_order), 0);
}

TEST_F(StoreBuffering, IsForbiddenBetweenASequentiallyConsistentStoreAndAFence) {
  const int found = count(
      [&](Two& t) {
        t.x.store(1, kSeqCst);
        a = t.y.load(kSeqCst);
      },
      [&](Two& t) {
        t.y.store(1, kRelaxed);
        thread_fence(kSeqCst);
        b = t.x.load(kRelaxed);
      },
      [&] { return a == 0 && b == 0; });
  EXPECT_EQ(found, 0);
}

class MessagePassing : public ::testing::Test {
 protected:
  // x is the message, y says that it is there.
  template <typename Send, typename Receive>
  int missed(Send send, Receive receive, Removed removed = Removed::nothing) {
    return count(
        send,
        [&](Two& t) {
          flag = message = 0;
          receive(t);
        },
        [&] { return flag == 1 && message == 0; }, removed);
  }
  int missed_between_fences(Removed removed) {
    return missed(
        [](Two& t) {
          t.x.store(1, kRelaxed);
          thread_fence(kRelease);
          t.y.store(1, kRelaxed);
        },
        [&](Two& t) {
          flag = t.y.load(kRelaxed);
          thread_fence(kAcquire);
          message = t.x.load(kRelaxed);
        },
        removed);
  }
  std::uint64_t flag = 0;
  std::uint64_t message = 0;
};

TEST_F(MessagePassing, MayMissWhenEitherSideIsRelaxed) {
  const auto relaxed_send = [](Two& t) {
    t.x.store(1, kRelaxed);
    t.y.store(1, kRelaxed);
  };
  const auto relaxed_receive = [&](Two& t) {
    flag = t.y.load(kRelaxed);
    message = t.x.load(kRelaxed);
  };
  EXPECT_GT(missed(relaxed_send,
                   [&](Two& t) {
                     flag = t.y.load(kAcquire);
                     message = t.x.load(kRelaxed);
                   }),
            0);
  EXPECT_GT(missed(
                [](Two& t) {
                  t.x.store(1, kRelaxed);
                  t.y.store(1, kRelease);
                },
                relaxed_receive),
            0);
}

TEST_F(MessagePassing, ArrivesByReleaseAndAcquire) {
  EXPECT_EQ(missed(
                [](Two& t) {
                  t.x.store(1, kRelaxed);
                  t.y.store(1, kRelease);
                },
                [&](Two& t) {
                  flag = t.y.load(kAcquire);
                  message = t.x.load(kRelaxed);
                }),
            0);
}

TEST_F(MessagePassing, ArrivesByFencesAndMissesWithEitherRemoved) {
  EXPECT_EQ(missed_between_fences(Removed::nothing), 0);
  EXPECT_GT(missed_between_fences(Removed::release_fences), 0);
  EXPECT_GT(missed_between_fences(Removed::acquire_fences), 0);
}

// A release store orders what comes before it, not what comes after: why `intent` needs a fence.
TEST_F(MessagePassing, ALaterStoreMayPassAReleaseStore) {
  EXPECT_GT(missed(
                [](Two& t) {
                  t.x.store(1, kRelease);
                  t.y.store(1, kRelaxed);
                },
                [&](Two& t) {
                  flag = t.y.load(kRelaxed);
                  thread_fence(kAcquire);
                  message = t.x.load(kRelaxed);
                }),
            0);
}

TEST_F(MessagePassing, GoesOnThroughAnothersSwap) {
  EXPECT_EQ(missed(
                [](Two& t) {
                  t.x.store(1, kRelaxed);
                  t.y.store(1, kRelease);
                },
                [&](Two& t) {
                  (void)t.y.fetch_add(0, kRelaxed);
                  flag = t.y.load(kAcquire);
                  message = t.x.load(kRelaxed);
                }),
            0);
}

TEST(Coherence, ALocationNeverGoesBack) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const int found = count(
      [](Two& t) {
        for (std::uint64_t i = 1; i <= 4; ++i) t.x.store(i, kRelaxed);
      },
      [&](Two& t) {
        first = t.x.load(kRelaxed);
        second = t.x.load(kRelaxed);
      },
      [&] { return second < first; });
  EXPECT_EQ(found, 0);
}

TEST(Swaps, OneOfTwoWins) {
  bool left = false;
  bool right = false;
  const auto swap = [](Atomic<std::uint64_t>& at, std::uint64_t to) {
    std::uint64_t expected = 0;
    return at.compare_exchange_strong(expected, to, std::memory_order_relaxed);
  };
  EXPECT_EQ(count([&](Two& t) { left = swap(t.x, 1); }, [&](Two& t) { right = swap(t.x, 2); },
                  [&] { return left == right; }),
            0);
}

TEST(SchedulerAtRest, TellsALostWakeUp) {
  static Memory memory(4096);
  Scheduler scheduler(memory);
  Random random(1);
  memory.reset(Removed::nothing);
  scheduler.reset(random, 2);
  scheduler.add({.name = "sleeper",
                 .body =
                     [&] {
                       for (;;) scheduler.sleep(memory.base(), 0, 1'000'000'000);
                     },
                 .has_work = [] { return true; }});
  scheduler.run();
  EXPECT_NE(scheduler.failure().find("nobody is going to wake it"), std::string::npos) << scheduler.failure();
}

}  // namespace
}  // namespace leat::sim
