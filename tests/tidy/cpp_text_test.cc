#include "tests/tidy/cpp_text.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

TEST(TidyCppText, TakesCommentsAndLiteralsOutOfTheCode) {
  const CppText parts = take_apart("int a;  // one\n/* two\n */ f(\"three // \\\" 3\", '\"');\n");
  EXPECT_EQ(parts.code, "int a;        \n      \n    f(\"             \", ' ');\n");
  EXPECT_EQ(parts.comments, "        // one\n/* two\n */                         \n");
  ASSERT_EQ(parts.literals.size(), 1U);
  EXPECT_EQ(parts.literals[0].text, "three // \" 3");
}

TEST(TidyCppText, KnowsNumbersWithQuotes) {
  EXPECT_EQ(take_apart("x = 1'000'000; // n\n").code, "x = 1'000'000;     \n");
}

TEST(TidyCppText, KnowsRawLiterals) {
  const CppText parts = take_apart("f(R\"x(a\n\"b\")x\", 1); g();\n");
  ASSERT_EQ(parts.literals.size(), 1U);
  EXPECT_EQ(parts.literals[0].text, "a\n\"b\"");
  EXPECT_NE(parts.code.find(", 1); g();"), std::string::npos);
}

TEST(TidyCppText, StaysAsLongAsTheFileWhateverItHolds) {
  for (const std::string_view text : {"\"", "'", "/*", "R\"(", "R\"", "\"\\", "//", "'\\"}) {
    EXPECT_EQ(take_apart(text).code.size(), text.size()) << text;
  }
}

TEST(TidyProse, IsCommentsOfCodeAndAllOfADocument) {
  EXPECT_EQ(prose_of("a.cc", "int a;  // one\n"), "        // one\n");
  EXPECT_EQ(prose_of("a.md", "int a;  // one\n"), "int a;  // one\n");
  EXPECT_EQ(prose_of("a/CMakeLists.txt", "set(x)  # one\n# two\n"), "        # one\n# two\n");
  EXPECT_EQ(prose_of("a.txt", "one\n"), "");
}

TEST(TidyProse, LeavesTheCodeOfSabotagesOut) {
  EXPECT_EQ(prose_of("a.sabotages", "# top\nname: why\n  file: a.h\n  - old.h\n  +  new.h\n  by: x Suite.*\n"),
            "# top\nname: why\n  file: a.h\n         \n          \n  by: x Suite.*\n");
}

TEST(TidyIncludes, AreFoundFromTheFileTheTopAndTheRoots) {
  const std::set<std::string, std::less<>> files = {"a/b.h", "c.h", "include/leat/d.h", "tests/support/e.h", "clock.h"};
  const std::vector<Include> found = own_includes("a/x.cc",
                                                  "#include \"b.h\"\n#  include \"c.h\"\n#include <leat/d.h>\n"
                                                  "#include \"support/e.h\"\n#include <clock.h>\n// #include \"c.h\"\n"
                                                  "/*\n#include \"c.h\"\n*/\n#include \"none.h\"\n",
                                                  files);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].header, "a/b.h");
  EXPECT_EQ(found[1].header, "c.h");
  EXPECT_EQ(found[2].header, "include/leat/d.h");
  EXPECT_EQ(found[3].header, "tests/support/e.h");
  EXPECT_EQ(found[3].line, 4U);
}

}  // namespace
}  // namespace leat::tidy
