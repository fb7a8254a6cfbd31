#include "tests/tidy/symbol_names.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

std::string names_of(const std::vector<Violation>& found) {
  std::string names;
  for (const Violation& one : found) names += (names.empty() ? "" : " ") + one.name;
  return names;
}

std::string no_tests(std::string_view text, std::string_view path = "docs/x.md") {
  std::set<std::string, std::less<>> tests;
  add_tests("TEST(Ring, Wraps) {}\nTEST_F(Feed,\n       GoesOn) {}\n// TEST(Ring, IsGone)\n", tests);
  add_tests("TEST_P(Every, Option) {}\n", tests);
  add_ctest_names("add_test(NAME install.readme COMMAND x)\nadd_test(NAME torture.${name} COMMAND y)\n", tests);
  return names_of(missing_tests(path, text, tests));
}

std::string no_symbols(std::string_view text) {
  std::set<std::string, std::less<>> words;
  add_words("a.cc", "class Ring { int round_position_; }; void take_part();  // OldName\nf(\"LEAT_FEED\");", words);
  add_words("a/CMakeLists.txt", "option(LEAT_CHECKS)", words);
  return names_of(missing_symbols("docs/x.md", text, words));
}

TEST(TidySymbols, FindTestsThatAreNoMore) {
  EXPECT_EQ(no_tests("Ring.Wraps, Ring.IsGone, `Fed.GoesOn`; Ring.Un*"), "Ring.IsGone Fed.GoesOn Ring.Un*");
  EXPECT_EQ(no_tests("Rings.* and Ring.Unw..."), "Rings.* Ring.Unw...");
  EXPECT_EQ(no_tests("int a;  // Ring.IsGone\nRing.IsGoneToo;\n", "a.cc"), "Ring.IsGone");
  EXPECT_EQ(no_tests("x: y\n  by:   leat_unit_tests Ring.IsGone\n", "x.sabotages"), "Ring.IsGone");
}

TEST(TidySymbols, TakeTestsThatAreThere) {
  EXPECT_EQ(no_tests("Ring.Wraps Feed.GoesOn Every.Option All/Every.Option/0 Ring.* Ring.Wr* Feed.Goes..."), "");
}

TEST(TidySymbols, FindTestsOfCtestThatAreNoMore) {
  EXPECT_EQ(no_tests("`install.readme` `install.redme` `torture.fuzz` install.redme"), "install.redme");
  EXPECT_EQ(no_tests("`leatd.toml` `install.sh.in` `cmake/install.cmake` `readme.sh`"), "");
}

TEST(TidySymbols, KnowWhatIsNoTest) {
  EXPECT_EQ(no_tests("README.md. **Context.** The end.Then A.B x.Y it.Is Error::message"), "");
}

TEST(TidySymbols, FindNamesThatAreNoMore) {
  EXPECT_EQ(no_symbols("`OldName` `kOldBound` `old_part()` `Ring::old` `LEAT_OLD`"),
            "OldName kOldBound old_part old LEAT_OLD");
}

TEST(TidySymbols, TakeNamesThatAreThereAndWordsThatAreNone) {
  EXPECT_EQ(no_symbols("`Ring` `take_part()` `round_position_` `LEAT_FEED` `LEAT_CHECKS` `Ring::take_part`"), "");
  EXPECT_EQ(no_symbols("`Reset` `durable` `--old-option` `std::byte` OldName `a b_c`"), "");
}

}  // namespace
}  // namespace leat::tidy
