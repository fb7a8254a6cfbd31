#include "tests/tidy/removed_words.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

std::size_t uses(std::string_view text) {
  const char* list = "# words\n\nblob | payload\nring buffer | ring\n--old | --new\nOld | New\n";
  return uses_of("a.md", text, removed_words_of(list)).size();
}

TEST(TidyWords, FindsWholeWords) {
  EXPECT_EQ(to_string(uses_of("a.md", "one\nthe blob\n", removed_words_of("blob | payload\n"))),
            "a.md:2: 'blob' is not used here any more: write 'payload'\n");
  EXPECT_EQ(uses("Blob, (blob) blob.h"), 1U);
  EXPECT_EQ(uses("a ring buffer\nand --old=3\n"), 2U);
}

TEST(TidyWords, TakesPartsOfOthers) { EXPECT_EQ(uses("blobs blob_size a_blob ring\nbuffer --older old"), 0U); }

}  // namespace
}  // namespace leat::tidy
