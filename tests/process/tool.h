// The fixture of tests of the command line: runs `leat` as a user or a script does.
#pragma once

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>

#include "support/broker_test.h"

namespace leat::test {

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

class Tool : public BrokerTest {
 protected:
  // Runs `leat ARGUMENTS` in a shell, so that pipes and redirections can be part of it; `$leat` is the program.
  Outcome run(const std::string& arguments) { return shell("\"$leat\" " + arguments); }
  Outcome shell(const std::string& script) {
    const auto out = broker_->scratch() / "tool.out";
    const auto err = broker_->scratch() / "tool.err";
    const FeedAddress& address = broker_->address();
    const std::string command = "leat='" LEAT_TEST_LEAT "'; export LEAT_RUNTIME_DIR='" + address.runtime_dir +
                                "' LEAT_DATA_DIR='" + address.data_dir + "'; { " + script + "\n} >'" + out.string() +
                                "' 2>'" + err.string() + "'";
    ChildProcess child(
        {.arguments = {"/bin/sh", "-c", command}, .environment = {}, .output = {}, .user = std::nullopt});
    const int status = child.wait();
    return {.status = status, .out = slurp(out), .err = slurp(err)};
  }
  static std::string slurp(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  // One line on standard error that begins with "leat: " and holds each part.
  static void expect_one_line(const Outcome& outcome, int status, std::initializer_list<const char*> parts) {
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(outcome.err.rfind("leat: ", 0), 0U) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    for (const char* part : parts)
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " in " << outcome.err;
  }
  std::string feed() const { return " --feed " + broker_->address().feed + " "; }
};

}  // namespace leat::test
