// When a sync waits for more producers, and when it does not.
#include "broker/storage/group_commit.h"

#include <gtest/gtest.h>

namespace leat::broker {
namespace {

constexpr std::int64_t kSyncNs = 80'000;
constexpr std::int64_t kLimitNs = kSyncNs / GroupCommit::kShareOfSync;

TEST(GroupCommit, NeverWaitsBeforeTheFirstSync) {
  GroupCommit group;
  EXPECT_FALSE(group.should_wait(1, 0));
}

TEST(GroupCommit, NeverMakesALoneProducerWait) {
  GroupCommit group;
  group.synced(1, 0, kSyncNs);
  EXPECT_FALSE(group.should_wait(1, 0));
}

TEST(GroupCommit, WaitsUntilAllThatWereToldAreBack) {
  GroupCommit group;
  group.synced(6, 0, kSyncNs);
  EXPECT_TRUE(group.should_wait(1, 0));
  EXPECT_TRUE(group.should_wait(5, kLimitNs / 2));
  EXPECT_FALSE(group.should_wait(6, kLimitNs / 2 + 1));
}

TEST(GroupCommit, CountsThoseThatCameMeanwhileToo) {
  GroupCommit group;
  group.synced(3, 4, kSyncNs);
  EXPECT_TRUE(group.should_wait(4, 0));
  EXPECT_FALSE(group.should_wait(7, 1));
}

TEST(GroupCommit, WaitsNoLongerThanItsShareOfASync) {
  GroupCommit group;
  group.synced(6, 0, kSyncNs);
  EXPECT_TRUE(group.should_wait(1, kLimitNs - 1));
  EXPECT_FALSE(group.should_wait(1, kLimitNs));
  EXPECT_FALSE(group.should_wait(1, 0)) << "once due, it stays due";
}

// Producers that do not come back for each sync (say, at a rate of their own) pay for the attempt ever more seldom.
TEST(GroupCommit, TriesEverMoreSeldomWhereItDoesNotPay) {
  GroupCommit group;
  int tries = 0;
  constexpr int kSyncs = 2000;
  for (int i = 0; i < kSyncs; ++i) {
    group.synced(10, 10, kSyncNs);
    if (group.should_wait(11, 0)) {
      ++tries;
      EXPECT_FALSE(group.should_wait(12, kLimitNs));
    }
  }
  EXPECT_GT(tries, kSyncs / static_cast<int>(GroupCommit::kMostSkipped) - 1) << "it goes on trying";
  EXPECT_LT(tries, kSyncs / static_cast<int>(GroupCommit::kMostSkipped) + 10);
}

TEST(GroupCommit, TriesEachTimeAgainOnceItHasPaid) {
  GroupCommit group;
  for (int i = 0; i < 200; ++i) {
    group.synced(10, 0, kSyncNs);
    if (group.should_wait(1, 0)) {
      EXPECT_FALSE(group.should_wait(1, kLimitNs));
    }
  }
  bool paid = false;
  for (std::uint32_t i = 0; i <= GroupCommit::kMostSkipped && !paid; ++i) {
    group.synced(10, 0, kSyncNs);
    paid = group.should_wait(1, 0) && !group.should_wait(10, 1);
  }
  ASSERT_TRUE(paid);
  for (int i = 0; i < 5; ++i) {
    group.synced(10, 0, kSyncNs);
    EXPECT_TRUE(group.should_wait(1, 0));
    EXPECT_FALSE(group.should_wait(10, 1));
  }
}

}  // namespace
}  // namespace leat::broker
