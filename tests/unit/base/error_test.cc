// An Error's sentence and its two parts.
#include <leat/error.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>

namespace leat {
namespace {

void expect_parts(const Error& error, std::string_view message, std::string_view what, std::string_view advice) {
  EXPECT_EQ(error.message, message);
  EXPECT_EQ(error.what(), what) << message;
  EXPECT_EQ(error.advice(), advice) << message;
  EXPECT_EQ(error.advice_at(), advice.empty() ? 0 : message.size() - advice.size()) << message;
}

static_assert(sizeof(Error) == sizeof(std::string) + 8, "where the advice begins fits in beside the code");

TEST(Error, IsNoneByItself) {
  EXPECT_EQ(Error().code, ErrorCode::ok);
  expect_parts(Error(), "", "", "");
}

TEST(Error, WithoutAdviceSaysWhatHappened) {
  const Error error{ErrorCode::busy, "all are taken"};
  EXPECT_EQ(error.code, ErrorCode::busy);
  expect_parts(error, "all are taken", "all are taken", "");
  expect_parts({ErrorCode::busy, "all are taken", ""}, "all are taken", "all are taken", "");
}

TEST(Error, ASemicolonInWhatHappenedIsNoAdvice) {
  expect_parts({ErrorCode::busy, "two are taken; the third is gone"}, "two are taken; the third is gone",
               "two are taken; the third is gone", "");
  expect_parts({ErrorCode::busy, "a; b: use", "c; d"}, "a; b: use; c; d", "a; b: use", "c; d");
}

TEST(Error, JoinsItsPartsToASentence) {
  expect_parts({ErrorCode::busy, "all are taken", "close some"}, "all are taken; close some", "all are taken",
               "close some");
  expect_parts({ErrorCode::busy, "bad name", "use letters", Error::Join::colon}, "bad name: use letters", "bad name",
               "use letters");
  expect_parts({ErrorCode::busy, "", "close some"}, "; close some", "", "close some");
}

TEST(Error, KeepsItsPartsBehindAContext) {
  const Error error = Error(ErrorCode::busy, "all are taken", "close some").in("feed 'a'").in("line 3");
  EXPECT_EQ(error.code, ErrorCode::busy);
  expect_parts(error, "line 3: feed 'a': all are taken; close some", "line 3: feed 'a': all are taken", "close some");
  expect_parts(Error(ErrorCode::busy, "all are taken").in("x"), "x: all are taken", "x: all are taken", "");
}

TEST(Error, TakesMoreAdvice) {
  const Error error(ErrorCode::busy, "all are taken", "close some");
  expect_parts(error.with_advice("or wait"), "all are taken; close some; or wait", "all are taken",
               "close some; or wait");
  expect_parts(error.with_advice(""), "all are taken; close some", "all are taken", "close some");
  expect_parts(Error(ErrorCode::busy, "all are taken").with_advice("wait"), "all are taken; wait", "all are taken",
               "wait");
  expect_parts(Error(ErrorCode::busy, "all are taken").with_advice(""), "all are taken", "all are taken", "");
}

TEST(Error, CopiesAndMovesWithItsParts) {
  Error error(ErrorCode::busy, "all are taken, every one of them", "close some");
  const Error copy = error;
  expect_parts(copy, "all are taken, every one of them; close some", "all are taken, every one of them", "close some");
  const Error moved = std::move(error);
  expect_parts(moved, copy.message, copy.what(), copy.advice());
  expect_parts(error, error.message, error.message, "");  // NOLINT(bugprone-use-after-move): what is left is readable
}

// The message is anybody's to write.
TEST(Error, HasNoAdviceThatIsNotInItsMessage) {
  Error error(ErrorCode::busy, "all are taken", "close some");
  error.message = "short";
  expect_parts(error, "short", "short", "");
  error.message.clear();
  expect_parts(error, "", "", "");
}

TEST(Error, OfTheSystemAdvisesWhereTheErrnoAloneSaysWhatToDo) {
  const Error full = system_error(ENOSPC, "writing /x");
  EXPECT_EQ(full.code, ErrorCode::no_space);
  expect_parts(full, "writing /x: No space left on device (errno 28); free some space there",
               "writing /x: No space left on device (errno 28)", "free some space there");
  expect_parts(system_error(ENOENT, "opening /x"), "opening /x: No such file or directory (errno 2)",
               "opening /x: No such file or directory (errno 2)", "");
}

}  // namespace
}  // namespace leat
