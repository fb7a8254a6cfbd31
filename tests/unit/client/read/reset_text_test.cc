#include "client-lib/read/reset_text.h"

#include <gtest/gtest.h>

namespace leat::client {
namespace {

TEST(ResetText, OfAResetIsWhatHappenedAndTheAdvice) {
  const Reset reset{.reason = Reset::Reason::gap,
                    .wanted_sequence = 7,
                    .earliest_sequence = 5,
                    .latest_sequence = 60,
                    .resume = {0xc, 9}};
  EXPECT_EQ(what_of(reset), "reset (gap): sequence 7 cannot be had; retained are 5 to 60");
  EXPECT_EQ(advice_of(reset), "take a fresh snapshot and go on after cursor " + reset.resume.to_string());
  EXPECT_EQ(reset.to_string(), what_of(reset) + "; " + advice_of(reset));
}

}  // namespace
}  // namespace leat::client
