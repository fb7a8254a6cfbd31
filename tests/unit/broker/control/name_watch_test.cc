#include "broker/control/name_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

namespace fs = std::filesystem;

class NameWatchTest : public ::testing::Test {
 protected:
  NameWatchTest() {
    fs::create_directory(below_);
    for (const char* name : {"first", "second"}) {
      std::ofstream(below_ / name) << name;
      internal::UniqueFd& fd = fds_[name[0] == 'f' ? 0 : 1];
      fd = internal::UniqueFd(::open((below_ / name).c_str(), O_RDONLY | O_CLOEXEC));
      names_.add(below_ / name, fd.get());
    }
  }

  test::TempDirectory directory_;
  fs::path below_ = directory_.path() / "below";
  internal::UniqueFd fds_[2];
  NameWatch names_;
};

TEST_F(NameWatchTest, FindsNothingLostWhereAllIsAsItWas) { EXPECT_EQ(names_.find_lost(), std::nullopt); }

TEST_F(NameWatchTest, FindsTheFirstNameThatIsGone) {
  fs::remove(below_ / "second");
  EXPECT_EQ(names_.find_lost(), below_ / "second");
  fs::remove(below_ / "first");
  EXPECT_EQ(names_.find_lost(), below_ / "first");
}

TEST_F(NameWatchTest, FindsANameThatLeadsToAnotherFile) {
  fs::copy(below_ / "first", below_ / "copy");
  fs::rename(below_ / "copy", below_ / "first");
  EXPECT_EQ(names_.find_lost(), below_ / "first");
}

TEST_F(NameWatchTest, FindsNamesThatWentWithTheirDirectory) {
  fs::rename(below_, directory_.path() / "away");
  EXPECT_EQ(names_.find_lost(), below_ / "first");
  std::ofstream(below_) << "a file in its place";
  EXPECT_EQ(names_.find_lost(), below_ / "first");
}

TEST_F(NameWatchTest, TakesALookThatFailsForNoNews) {
  fs::rename(below_, directory_.path() / "away");
  fs::create_directory_symlink("below", below_);  // leads to itself: the look fails, and nothing is said to be missing
  EXPECT_EQ(names_.find_lost(), std::nullopt);
}

}  // namespace
}  // namespace leat::broker
