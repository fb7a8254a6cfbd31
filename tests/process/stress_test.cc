// leat-stress at a twentieth of its full size.
#include "support/broker_test.h"

namespace leat::test {
namespace {

TEST(Stress, EveryConsumerGetsEveryEventOfEightProducersOnceInOrderByteForByte) {
  const Watchdog watchdog("Stress", seconds(220));
  const std::uint64_t events = scaled(50'000);
  ChildProcess stress(
      {.arguments = {LEAT_TEST_STRESS, "--producers", "8", "--consumers", "4", "--slow-consumers", "1", "--ring-bytes",
                     "1M", "--events", std::to_string(events), "--seed", std::to_string(test_seed())},
       .environment = {},
       .output = {},
       .user = std::nullopt});
  EXPECT_EQ(stress.wait(), 0);
  EXPECT_FALSE(watchdog.fired());
}

}  // namespace
}  // namespace leat::test
