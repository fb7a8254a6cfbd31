// The documented systemd unit.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/child_process.h"
#include "support/environment.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = LEAT_TEST_SOURCE_DIR;

TEST(HostUnit, TheOneInTheDocumentsIsTheOneInTheTree) {
  const std::string unit = read_file(kSource / "packaging/systemd/leatd@.service");
  ASSERT_FALSE(unit.empty());
  EXPECT_NE(read_file(kSource / "docs/operations.md").find("```ini\n" + unit + "```\n"), std::string::npos);
  for (const char* line : {"Type=notify", "RemoveIPC=no", "RuntimeDirectoryPreserve=yes", "ExecReload=/bin/kill -HUP",
                           "RestartForceExitStatus=SIGHUP", "RestartPreventExitStatus=2 3"}) {
    EXPECT_NE(unit.find(std::string("\n") + line), std::string::npos) << line;
  }
}

// Its status says nothing about misspelt settings: it must not have a word to say.
TEST(HostUnit, SystemdHasNothingToSayAboutIt) {
  if (!fs::exists("/usr/bin/systemd-analyze")) GTEST_SKIP() << "no systemd-analyze here";
  const fs::path directory = make_unique_directory(temporary_root(), "unit");
  std::string unit = read_file(kSource / "packaging/systemd/leatd@.service");
  const std::string program = "/usr/bin/leatd";
  unit.replace(unit.find(program), program.size(), "/bin/true");
  std::ofstream(directory / "leatd@.service") << unit;
  const std::string output = (directory / "said").string();
  ChildProcess verify({.arguments = {"/usr/bin/systemd-analyze", "verify", (directory / "leatd@x.service").string()},
                       .environment = {},
                       .output = output,
                       .user = std::nullopt});
  EXPECT_EQ(verify.wait(), 0) << read_file(output);
  EXPECT_EQ(read_file(output).find("leatd@"), std::string::npos) << read_file(output);
  fs::remove_all(directory);
}

}  // namespace
}  // namespace leat::test
