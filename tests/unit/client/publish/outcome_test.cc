#include "client-lib/publish/outcome.h"

#include <gtest/gtest.h>

namespace leat::client {
namespace {

TEST(Outcome, AsAnErrorSaysItsSentence) {
  for (int i = 0; i <= static_cast<int>(Publish::earlier_lost); ++i) {
    const auto outcome = static_cast<Publish>(i);
    const Error error = error_of(outcome);
    EXPECT_EQ(error.message, to_string(outcome));
    EXPECT_TRUE(error.advice().empty() || error.message.ends_with(error.advice()));
  }
  EXPECT_EQ(error_of(Publish::would_block).advice(), "try again, or wait with publish()");
  EXPECT_EQ(error_of(Publish::earlier_lost).advice(), "publish them again, then this one");
  EXPECT_EQ(error_of(Publish::ephemeral).advice(), "");
}

TEST(Outcome, OfAnotherNumberIsAnErrorAllTheSame) {
  const Error error = error_of(static_cast<Publish>(static_cast<int>(Publish::earlier_lost) + 1));
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_EQ(error.message, "unknown outcome");
}

}  // namespace
}  // namespace leat::client
