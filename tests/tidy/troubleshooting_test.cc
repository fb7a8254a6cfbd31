#include "tests/tidy/troubleshooting.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

using Parts = std::vector<std::string>;

/// What is found in a document with that one title.
std::string unsaid(const std::string& title) {
  const std::vector<Messages> said =
      {messages_of("a.cc",
                   "say(\"opening \" + path + \": it is \"\n    \"no directory\");  // remove it\n"
                   "warn(\"{} of {:x} bytes are lost\", n);\nsay(\"needs \" + std::to_string(kMost) + \" words\");\n"
                   "say(\"too\" + how + \"late\");\n"
                   "Error{ErrorCode::busy, n + \" in all\",\n \"close one\"};\n"),
       messages_of("b.cc", "advice = \"choose another \" + kOption;\n")};
  return to_string(unsaid_titles("t.md", "# Top\n## `" + title + "`\n", said));
}

TEST(TidyTroubles, CutsATitleAtPlaceholders) {
  EXPECT_EQ(literal_parts("opening <path>: <why>; see ... (or 16 words)"), (Parts{"opening", "see", "or", "words"}));
  EXPECT_EQ(literal_parts("<path>/control.sock is a directory"), (Parts{"is a directory"}));
  EXPECT_EQ(literal_parts("<a <b> c> is it"), (Parts{"is it"}));
  EXPECT_EQ(literal_parts("SIGBUS in u64 <n>"), (Parts{"SIGBUS in u64"}));
}

TEST(TidyTroubles, TakesWhatIsSaid) {
  EXPECT_EQ(unsaid("opening <path>: it is no directory"), "");
  EXPECT_EQ(unsaid("<n> of <n> bytes are ..."), "");
  EXPECT_EQ(unsaid("needs 40 words"), "");
  EXPECT_EQ(literal_parts("<n> in all; close one"), (Parts{"in all; close one"}));
  EXPECT_NE(messages_of("a.cc", "Error{c, \"all of them\", \"close one\"}").text.find("all of them; close one"),
            std::string::npos);
  EXPECT_EQ(unsaid("<n> in all; close one"), "");
  EXPECT_EQ(unsaid("opening <path>: it is no directory; choose another --runtime-dir"), "");  // of two files
}

TEST(TidyTroubles, FindsWhatIsNotSaid) {
  EXPECT_EQ(unsaid("opening <path>: it is a directory"),
            "t.md:2: no message has the part 'it is a directory' (nearest: none): "
            "write the title as the code says it\n");
  EXPECT_NE(unsaid("bytes are lost <n> of"), "");       // in another order
  EXPECT_NE(unsaid("opening <path>: remove it"), "");   // only a comment says so
  EXPECT_NE(unsaid("opening it is no directory"), "");  // the code puts something between the two
  EXPECT_NE(unsaid("toolate"), "");                     // the same
  EXPECT_NE(unsaid("<what>: <why>"), "");               // says nothing
}

TEST(TidyTroubles, ReadsASecondTitleOfALine) {
  EXPECT_EQ(unsaid_titles("t.md", "## `no such` (or `nor such`)\ntext `nor this`\n", {}).size(), 2U);
}

}  // namespace
}  // namespace leat::tidy
