#include "broker/log_gate.h"

#include <gtest/gtest.h>

namespace leat::broker {
namespace {

TEST(LogGate, LetsABurstThroughAndCountsTheRest) {
  LogGate gate;
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += gate.pass() ? 1 : 0;
  EXPECT_GE(passed, 64);
  EXPECT_LT(passed, 10'000);
  EXPECT_EQ(gate.left_out(), " (and " + std::to_string(10'000 - passed) + " more like it)");
  EXPECT_EQ(gate.left_out(), "") << "told once";
}

}  // namespace
}  // namespace leat::broker
