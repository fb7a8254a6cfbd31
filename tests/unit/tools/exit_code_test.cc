// What leat prints of an error: its sentence, and general advice where it has none of its own.
#include "tools/leat/exit_code.h"

#include <gtest/gtest.h>

namespace leat::tool {
namespace {

TEST(ExitCode, DescribesAnErrorWithItsOwnAdvice) {
  EXPECT_EQ(describe({ErrorCode::busy, "all are taken", "close some"}), "all are taken; close some");
  EXPECT_EQ(describe({ErrorCode::bad_topic, "bad topic", "use letters", Error::Join::colon}), "bad topic: use letters");
}

TEST(ExitCode, AdvisesInGeneralWhereTheErrorDoesNot) {
  EXPECT_EQ(describe({ErrorCode::no_space, "writing /x"}), "writing /x; free some space");
  EXPECT_EQ(describe({ErrorCode::no_space, "writing /x"}, "line 3"), "line 3: writing /x; free some space");
  EXPECT_EQ(describe({ErrorCode::closed, ""}), "closed; run leat again");
}

TEST(ExitCode, DoesNotTakeWhatAnErrorQuotesForAdvice) {
  EXPECT_EQ(describe({ErrorCode::no_space, "writing 'a; b: use c'"}), "writing 'a; b: use c'; free some space");
}

}  // namespace
}  // namespace leat::tool
