#include "tests/tidy/layers.h"

#include <gtest/gtest.h>

namespace leat::tidy {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names kFiles = {"base/clock.h",    "shm/ring.h",      "shm/status/row.h", "broker/log.h",
                      "broker/feed/f.h", "broker/host/h.h", "tests/x.h"};
const Names kFolders = {"base", "shm", "shm/status", "broker", "broker/feed", "broker/host"};

constexpr const char* kTable =
    "# a table\n"
    "base ->\n"
    "shm -> base\n"
    "broker -> shm, base\n"
    "broker/feed -> broker/., shm/., base\n"
    "broker/host -> broker/feed, broker/.\n";

/// The header that `path` includes is not allowed.
bool is_refused(std::string_view path, const std::string& header) {
  return !Layers("layers.txt", kTable).check(path, "\n#include \"" + header + "\"\n", kFiles).empty();
}

std::string faults(std::string_view table) { return to_string(Layers("layers.txt", table).faults(kFolders)); }

TEST(TidyLayers, RefuseAnIncludeAgainstTheDirection) {
  EXPECT_EQ(to_string(Layers("layers.txt", kTable).check("shm/x.cc", "\n#include \"broker/log.h\"\n", kFiles)),
            "shm/x.cc:2: shm may not include broker/log.h: turn the dependency round (layers.txt:3 allows base)\n");
  EXPECT_TRUE(is_refused("base/x.h", "shm/ring.h"));
  EXPECT_TRUE(is_refused("broker/x.cc", "broker/feed/f.h"));
  EXPECT_TRUE(is_refused("broker/feed/x.cc", "broker/host/h.h"));
  EXPECT_TRUE(is_refused("broker/host/x.cc", "base/clock.h"));
  EXPECT_TRUE(is_refused("broker/feed/x.cc", "tests/x.h"));
  EXPECT_TRUE(is_refused("broker/feed/x.cc", "shm/status/row.h"));  // shm/. is not what lies below
}

TEST(TidyLayers, TakeWhatTheLongestRowAllows) {
  EXPECT_FALSE(is_refused("shm/status/x.cc", "shm/ring.h"));
  EXPECT_FALSE(is_refused("broker/x.cc", "shm/status/row.h"));
  EXPECT_FALSE(is_refused("broker/feed/x.cc", "broker/log.h"));
  EXPECT_FALSE(is_refused("broker/feed/deep/x.cc", "shm/ring.h"));
  EXPECT_FALSE(is_refused("broker/host/x.cc", "broker/feed/f.h"));
  EXPECT_FALSE(is_refused("tests/x.cc", "broker/host/h.h"));
}

TEST(TidyLayers, WantARowForEveryFolderOfTheProduct) {
  EXPECT_EQ(to_string(Layers("layers.txt", kTable).check("text/x.cc", "", kFiles)),
            "text/x.cc:1: folder 'text' has no row in layers.txt: write one\n");
}

TEST(TidyLayers, FindCyclesOfTheTable) {
  EXPECT_EQ(faults(kTable), "");
  EXPECT_EQ(faults("base -> shm\nshm -> broker/feed\nbroker/feed -> base\n"),
            "layers.txt:1: cycle: base -> shm -> broker/feed -> base; take one of its arrows out\n");
  EXPECT_EQ(faults("base -> shm\nshm -> broker\nbroker ->\nbroker/host -> broker/feed\nbroker/feed -> broker\n"),
            "layers.txt:4: cycle: broker/host -> broker/feed -> broker/host; take one of its arrows out\n");
}

TEST(TidyLayers, FindWhatIsWrongWithARow) {
  EXPECT_EQ(faults("base\ntext -> base, gone/.\n"),
            "layers.txt:1: not `folder -> folders`\nlayers.txt:2: no folder 'gone': correct the row\n"
            "layers.txt:2: no folder 'text': correct the row\n");
}

}  // namespace
}  // namespace leat::tidy
