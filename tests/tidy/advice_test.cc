#include "tests/tidy/advice.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::tidy {
namespace {

std::string found_in(const char* text) { return to_string(hidden_advice("a.cc", text)); }

TEST(TidyAdvice, FindsItBehindASemicolon) {
  EXPECT_EQ(found_in("int i;\nError e{ErrorCode::busy, \"all are taken; close some\"};\n"),
            "a.cc:2: \"all are taken; close some\" holds advice: give it to the Error as an argument of its own\n");
  EXPECT_NE(found_in("return {ErrorCode::busy, name(1, 2) + (x ? \"y\" : \"z; do\")};"), "");
  EXPECT_NE(found_in("fail({ErrorCode::busy, what + \"; \" + advice});"), "");
  EXPECT_NE(found_in("Error{ErrorCode::busy,\n  \"all are taken; \"\n  \"close some\"};"), "");
  EXPECT_NE(found_in("Error{ErrorCode::bad_topic, \"bad name: use letters\"};"), "");
}

TEST(TidyAdvice, TakesItAsAnArgumentOfItsOwn) {
  EXPECT_EQ(found_in("Error{ErrorCode::busy, \"all are taken\", \"close some; or wait\"};"), "");
  EXPECT_EQ(found_in("Error{ErrorCode::busy, \"at \" + f(a, \"b\"), \"wait; or go\"};"), "");
}

TEST(TidyAdvice, TakesASemicolonThatGoesOnOtherwise) {
  EXPECT_EQ(found_in("Error{ErrorCode::busy, \"a;b\" + c + \"; 3 of them\"};"), "");
}

TEST(TidyAdvice, LeavesOtherTextsAlone) {
  EXPECT_EQ(found_in("log::warn(\"all are taken; close some\");"), "");
  EXPECT_EQ(found_in("case ErrorCode::busy: return \"try again; later\";"), "");
  EXPECT_EQ(found_in("// ErrorCode::busy, \"all are taken; close some\"\n"), "");
  EXPECT_EQ(found_in("if (code == ErrorCode::busy) say(\"x; y\");"), "");
}

}  // namespace
}  // namespace leat::tidy
