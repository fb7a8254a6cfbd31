#include "broker/host/directories.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "broker/host/start_trace.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

namespace fs = std::filesystem;

class DirectoriesTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name = "one") const { return directory_.path() / name; }
  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }

  test::TempDirectory directory_;
};

TEST_F(DirectoriesTest, AreMadeWithTheirModeWhateverUmaskSays) {
  const mode_t before = ::umask(077);
  test::must(make_directory(path(), 0711));
  test::must(make_parents(path("a") / "b" / "c"));
  ::umask(before);
  EXPECT_EQ(mode_of(path()), 0711U);
  EXPECT_EQ(mode_of(path("a") / "b"), 0755U);
}

TEST_F(DirectoriesTest, ThatAreThereKeepTheirModeUnlessTheyAreOurs) {
  test::must(make_directory(path(), 0755));
  test::must(make_directory(path(), 0700));
  EXPECT_EQ(mode_of(path()), 0755U);
  test::must(make_own_directory(path(), 0700));
  EXPECT_EQ(mode_of(path()), 0700U);
}

TEST_F(DirectoriesTest, ThatOthersCanWriteAreRefusedByName) {
  test::must(make_directory(path(), 0755));
  EXPECT_TRUE(check_owner(path(), "advice").ok());
  for (const mode_t mode : {0777U, 0775U, 0757U, 01777U}) {
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    const auto checked = check_owner(path(), "advice");
    ASSERT_FALSE(checked.ok()) << std::oct << mode;
    EXPECT_EQ(checked.error().code, ErrorCode::permission_denied);
    EXPECT_NE(checked.error().message.find(path().string() + " can be written by others; advice"), std::string::npos)
        << checked.error().message;
  }
}

TEST_F(DirectoriesTest, AreNotMadeOverAFileNorThroughALinkThatLeadsNowhere) {
  std::ofstream(path("file")) << "mine";
  EXPECT_NE(make_directory(path("file"), 0700).error().message.find("is not a directory"), std::string::npos);
  fs::create_symlink(path("absent"), path("link"));
  EXPECT_NE(make_directory(path("link"), 0700).error().message.find("is a symbolic link to " + path("absent").string()),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path("absent")));
}

TEST_F(DirectoriesTest, OfARefusedStartGoNewestFirstAndThoseThatWereThereStay) {
  test::must(make_directory(path(), 0700));
  {
    const StartTrace trace;
    test::must(make_parents(path() / "a" / "b" / "c"));
    std::ofstream(path() / "a" / "b" / "file") << "x";
    StartTrace::made_file(path() / "a" / "b" / "file");
  }
  EXPECT_TRUE(fs::is_empty(path()));
  {
    StartTrace trace;
    test::must(make_parents(path() / "a" / "b"));
    trace.keep();
  }
  EXPECT_TRUE(fs::exists(path() / "a" / "b"));
  test::must(make_directory(path("later"), 0700));
  EXPECT_TRUE(fs::exists(path("later"))) << "without a start there is nothing to take back";
}

}  // namespace
}  // namespace leat::broker
