#include "tests/tidy/violation.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

const std::vector<Violation> kTwo = {{"a.h", 3, "blob", "no blob"}, {"b.h", 5, "x | y", "no bar"}};

TEST(TidyAllowed, TakesWhatItNames) {
  const Allowed allowed("allowed.txt", "# a list\n\nwords | a.h | blob | quoted\nwords | * | x | y | a table\n");
  EXPECT_EQ(to_string(allowed.rest("words", kTwo)), "");
}

TEST(TidyAllowed, LeavesOtherFilesNamesAndRules) {
  const Allowed allowed("allowed.txt", "words | c.h | blob | -\nwords | * | blobs | -\nfiles | * | blob | -\n");
  EXPECT_EQ(to_string(allowed.rest("words", kTwo)),
            "a.h:3: no blob\nb.h:5: no bar\n"
            "allowed.txt:1: allows 'blob', which the rule does not find any more: remove the line\n"
            "allowed.txt:2: allows 'blobs', which the rule does not find any more: remove the line\n");
}

TEST(TidyAllowed, TakesAnyNameOfAFile) {
  EXPECT_EQ(Allowed("allowed.txt", "words | a.h | * | all of it\n").rest("words", kTwo).size(), 1U);
}

TEST(TidyAllowed, SaysWhichLineItCannotRead) {
  EXPECT_EQ(to_string(Allowed("allowed.txt", "words | a.h | blob\n").rest("words", {})),
            "allowed.txt:1: not `rule | file | name | reason`: write all four\n");
}

}  // namespace
}  // namespace leat::tidy
