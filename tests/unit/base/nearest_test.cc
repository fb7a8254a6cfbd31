// "Did you mean": near enough to be meant, and never a wild guess.
#include "base/nearest.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

TEST(Nearest, CountsLettersPutInTakenOutReplacedAndSwapped) {
  EXPECT_EQ(letters_apart("", ""), 0U);
  EXPECT_EQ(letters_apart("tail", "tail"), 0U);
  EXPECT_EQ(letters_apart("tial", "tail"), 1U);
  EXPECT_EQ(letters_apart("tai", "tail"), 1U);
  EXPECT_EQ(letters_apart("taill", "tail"), 1U);
  EXPECT_EQ(letters_apart("mail", "tail"), 1U);
  EXPECT_EQ(letters_apart("", "tail"), 4U);
  EXPECT_EQ(letters_apart("kitten", "sitting"), 3U);
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> commands = {"pub", "tail", "replay", "stat", "cursors", "verify", "repair", "feeds"};
  const std::pair<const char*, const char*> cases[] = {{"tial", "tail"},  {"publish", "pub"}, {"cursor", "cursors"},
                                                       {"stats", "stat"}, {"status", "stat"}, {"repare", "repair"},
                                                       {"feed", "feeds"}, {"puv", "pub"}};
  for (const auto& [typed, meant] : cases) EXPECT_EQ(nearest(typed, commands), meant) << typed;
  const std::vector<std::string> options = {"--feed", "--from", "--filter", "--format", "--timeout", "-f"};
  EXPECT_EQ(nearest("--feeed", options), "--feed");
  EXPECT_EQ(nearest("--time", options), "--timeout");
  EXPECT_EQ(nearest("-fed", options), "--feed");
}

TEST(Nearest, SaysNothingRatherThanNonsense) {
  const std::vector<std::string> commands = {"pub", "tail", "stat"};
  for (const char* typed : {"frobnicate", "x", "", "--", "zzz"}) EXPECT_EQ(nearest(typed, commands), "") << typed;
  EXPECT_EQ(nearest(std::string(1'000'000, 'p'), commands), "") << "and does not compute for long";
}

}  // namespace
}  // namespace leat::internal
