#include "tests/tidy/columns.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

const std::string k120(120, 'x');

TEST(TidyColumns, FindsALineOf121) {
  EXPECT_EQ(to_string(long_lines("a.cc", "short\n" + k120 + "x\nshort\n")),
            "a.cc:2: 121 columns: break the line, at most 120\n");
  EXPECT_EQ(long_lines("a/CMakeLists.txt", k120 + "x").size(), 1U);
  EXPECT_EQ(long_lines("a/b.cmake", k120 + "x").size(), 1U);
}

TEST(TidyColumns, TakesALineOf120) { EXPECT_TRUE(long_lines("a.h", k120 + "\n" + k120).empty()); }

TEST(TidyColumns, CountsCodePoints) {
  std::string umlauts;
  for (int i = 0; i < 120; ++i) umlauts += "\xc3\xa4";
  EXPECT_TRUE(long_lines("a.h", umlauts).empty());
  EXPECT_EQ(long_lines("a.h", umlauts + "\xc3\xa4").size(), 1U);
}

TEST(TidyColumns, LeavesDocumentsAlone) { EXPECT_TRUE(long_lines("a.md", k120 + "x").empty()); }

}  // namespace
}  // namespace leat::tidy
