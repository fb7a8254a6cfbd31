// What -DLEAT_CHECKS=ON changes.
#include "base/check.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

bool asked(bool& was_asked) {
  was_asked = true;
  return true;
}

TEST(Checks, OfTheHotPathAreThereWhereTheOptionIsOn) {
  bool was_asked = false;
  LEAT_DCHECK(asked(was_asked));
#ifdef LEAT_CHECKS
  EXPECT_TRUE(was_asked);
  EXPECT_DEATH(LEAT_DCHECK(1 + 1 == 3), "internal invariant broken: 1 \\+ 1 == 3 at .*check_test.cc");
#else
  EXPECT_FALSE(was_asked) << "a release build does not even evaluate it";
  (void)&asked;
#endif
}

TEST(Checks, OfAllElseAreThereInEveryBuild) {
  LEAT_ASSERT(1 + 1 == 2);
  EXPECT_DEATH(LEAT_ASSERT(1 + 1 == 3), "internal invariant broken: 1 \\+ 1 == 3 at .*check_test.cc");
}

}  // namespace
}  // namespace leat::internal
