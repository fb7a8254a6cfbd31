#include "tests/tidy/dead_includes.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

using Names = std::set<std::string>;

TEST(TidyIncludes, ScansWhatAHeaderDeclares) {
  EXPECT_EQ(declared_names("#define LEAT_X(a) \\\n  hidden(a)\nnamespace leat {\n"
                           "class Forward;\n"
                           "enum class Kind : std::uint8_t { one, two = make(1, 2) };\n"
                           "using Id = std::array<std::byte, 16>;\n"
                           "inline constexpr int kBound = other(4);\n"
                           "template <typename T, int n = 3>\n"
                           "T twice(T value, int from = 1) { return hidden(value); }\n"
                           "[[nodiscard]] bool is_so(const Unknown& x) noexcept;\n"
                           "}  // namespace leat\n"),
            (Names{"LEAT_X", "Kind", "one", "two", "Id", "kBound", "twice", "is_so"}));
}

TEST(TidyIncludes, ScansClasses) {
  EXPECT_EQ(declared_names("struct alignas(64) Line final : public Base<int> {\n"
                           " public:\n"
                           "  explicit Line(int a) : a_{a}, b_(2) {}\n"
                           "  int take() const noexcept override { return hidden; }\n"
                           "  static constexpr int kMost = 3;\n"
                           "  struct Inner { int deep = 0; };\n"
                           "  int a_{1}, b_;\n"
                           "  std::uint64_t words[4];\n"
                           "};\n"
                           "int after;\n"),
            (Names{"Line", "take", "kMost", "Inner", "deep", "a_", "b_", "words", "after"}));
}

Tree made_tree() {
  Tree tree;
  tree.files = {{"base/clock.h", "inline long now_ns();"}, {"base/log.h", "struct Log { void say(); };"}};
  for (const SourceFile& file : tree.files) tree.names.add(file.path);
  return tree;
}

TEST(TidyIncludes, FindsOneOfWhichNothingIsUsed) {
  EXPECT_EQ(to_string(dead_includes("a.cc", "#include \"base/clock.h\"\n#include \"base/log.h\"\n// now_ns\nLog log;\n",
                                    made_tree())),
            "a.cc:1: nothing that base/clock.h declares is used: take the include out, or include what is meant\n");
}

TEST(TidyIncludes, TakesMembersForUses) {
  EXPECT_TRUE(dead_includes("a.cc", "#include \"base/log.h\"\nfeed.log().say();\n", made_tree()).empty());
}

TEST(TidyIncludes, TakesTheHeaderOfTheSameStem) {
  EXPECT_TRUE(dead_includes("base/clock.cc", "#include \"base/clock.h\"\n", made_tree()).empty());
  EXPECT_TRUE(dead_includes("tests/clock_test.cc", "#include \"base/clock.h\"\n", made_tree()).empty());
  EXPECT_FALSE(dead_includes("other/clock.h", "#include \"base/clock.h\"\n", made_tree()).empty());
}

}  // namespace
}  // namespace leat::tidy
