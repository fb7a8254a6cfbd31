#include "tests/tidy/file_names.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

TreeNames made_tree() {
  TreeNames names;
  for (const char* file : {"broker/log.h", "broker/log.cc", "broker/storage/syncer.h", "docs/formats.md",
                           "docs/adr/1.md", "scripts/test", "README.md", "tests/install/run.sh"}) {
    names.add(file);
  }
  return names;
}

/// The names that are not there, of a document in docs.
std::string missing(std::string_view text, std::string_view path = "docs/x.md") {
  std::string names;
  for (const Violation& one : missing_files(path, text, made_tree())) names += (names.empty() ? "" : " ") + one.name;
  return names;
}

TEST(TidyFileNames, FindsNamesThatLeadNowhere) {
  EXPECT_EQ(missing("see broker/lock.h, and syncer.cc."), "broker/lock.h syncer.cc");
  EXPECT_EQ(missing("`broker/log.{h,cc,md}`"), "broker/log.md");
  EXPECT_EQ(missing("([formats](formats.md#x), [gone](gone.md), [gone](../gone.md))"), "gone.md ../gone.md");
  EXPECT_EQ(missing("in `broker/ingest`, `control/x`; tests/torture/ too"), "broker/ingest control/x tests/torture/");
  EXPECT_EQ(missing("int a;  // as in gone.h\nint gone.h;\n", "broker/log.cc"), "gone.h");
  EXPECT_EQ(missing("# as gone.sh does\nrun gone.sh\n", "scripts/test"), "gone.sh");
  EXPECT_EQ(missing("a: b\n  file: broker/gone.h\n  - gone.h\n", "tests/mutation/x.sabotages"), "broker/gone.h");
}

TEST(TidyFileNames, SaysWhereAFileOfThatNameIs) {
  EXPECT_EQ(to_string(missing_files("docs/x.md", "one\nbroker/syncer.h\n", made_tree())),
            "docs/x.md:2: no file or folder 'broker/syncer.h'; there is broker/storage/syncer.h: correct the name\n");
}

TEST(TidyFileNames, TakesNamesFromTheTopAndFromTheFile) {
  EXPECT_EQ(missing("broker/log.h adr/1.md ../README.md `adr` syncer.h run.sh `scripts/test` broker/storage/"), "");
  EXPECT_EQ(missing("broker/log"), "");  // header and source
}

TEST(TidyFileNames, LeavesOthersNamesAlone) {
  EXPECT_EQ(missing("<sys/gone.h> /etc/gone.md ~/gone.sh https://x.org/a/gone.md build/x/gone.h adr/<n>.md "
                    "gone*.h $x/gone.h arena-<n>.h tests/NAME and/or 1/2 x.y e.g. gone.txt"),
            "");
}

}  // namespace
}  // namespace leat::tidy
