// Every help text there is, as the parser knows it: a command or an option that is added later is in here by itself.
#include "tools/leat/help_format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace leat::tool {
namespace {

class Help : public testing::Test {
 protected:
  Help() {
    ::setenv("COLUMNS", "80", 1);
    ::unsetenv("LEAT_FEED");
    app_.require_subcommand(1);
    declare_commands(app_, commands_);
  }
  ~Help() override { ::unsetenv("COLUMNS"); }

  [[nodiscard]] bool has(const cmdline::Command& command, const std::string& option) const {
    return command.get_option_no_throw(option) != nullptr;
  }

  cmdline::Command app_{"about", "leat"};
  Commands commands_;
};

/// A shell's words, as far as examples need them: single quotes, and all behind a redirection or a pipe left out.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (const char c : line.substr(0, line.find_first_of("|<>"))) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

TEST_F(Help, FitsTheTerminalWhereWordsAllowIt) {
  for (const Command& command : commands_) {
    const std::string text = command.app->help();
    std::istringstream lines(text.substr(text.find("Usage:")));  // examples are to be copied, and so not wrapped
    for (std::string line; std::getline(lines, line);)
      EXPECT_LE(line.size(), 80U) << command.app->get_name() << ": " << line;
  }
  std::istringstream lines(app_.help());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  ::setenv("COLUMNS", "64", 1);
  std::istringstream narrow(commands_.front().app->help());
  for (std::string line; std::getline(narrow, line);) {
    if (line.find("leat ") == std::string::npos) {
      EXPECT_LE(line.size(), 64U) << line;
    }
  }
}

TEST_F(Help, BeginsWithExamplesThatAreTakenAsTheyStand) {
  for (const Command& command : commands_) {
    const std::string name = command.app->get_name();
    ASSERT_FALSE(command.examples.empty()) << name;
    const std::string text = command.app->help();
    EXPECT_LT(text.find("Example"), text.find("Usage:")) << name;
    for (const std::string& example : command.examples) {
      EXPECT_NE(text.find(example), std::string::npos) << example;
      std::vector<std::string> words = words_of(example);
      ASSERT_GE(words.size(), 2U) << example;
      EXPECT_EQ(words[0], "leat");
      EXPECT_EQ(words[1], name);
      if (name == "verify") continue;  // its files must exist
      cmdline::Command app("about", "leat");
      app.require_subcommand(1);
      Commands commands;
      declare_commands(app, commands);
      words.erase(words.begin());
      EXPECT_NO_THROW(app.parse(words)) << example;
    }
  }
}

TEST_F(Help, NamesEveryOptionAndWhatItIsFor) {
  for (const Command& command : commands_) {
    const std::string text = command.app->help();
    for (const cmdline::Option* option : command.app->get_options()) {
      if (option->get_group().empty()) continue;
      EXPECT_NE(text.find(option->get_positional() ? option->get_name(true, false)
                                                   : "--" + option->get_lnames().front()),
                std::string::npos);
      EXPECT_FALSE(option->get_description().empty()) << command.app->get_name() << " " << option->get_name();
    }
  }
}

TEST_F(Help, EveryCommandThatTakesAFeedTakesItFromTheEnvironmentAndWaitsForItsBroker) {
  for (const Command& command : commands_) {
    const std::string name = command.app->get_name();
    if (!has(*command.app, "--feed")) continue;
    const bool reads_files = has(*command.app, "--journal");
    if (reads_files) {
      EXPECT_NE(command.app->help().find("$LEAT_FEED"), std::string::npos) << name;
    } else {
      EXPECT_EQ(command.app->get_option("--feed")->get_envname(), "LEAT_FEED") << name;
      EXPECT_TRUE(has(*command.app, "--wait")) << name;
    }
  }
}

TEST(Wrapped, BreaksBetweenWordsAndKeepsMarginsAndLineEnds) {
  EXPECT_EQ(wrapped("one two three", 0, 8), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 2, 9), "  one two\n  three");
  EXPECT_EQ(wrapped("one two three", 4, 9, 4), "one\n    two\n    three");
  EXPECT_EQ(wrapped("a\n  b c d", 0, 5), "a\n  b c\n  d") << "a line's own margin stays";
  EXPECT_EQ(wrapped("0  done", 0, 80), "0  done");
  EXPECT_EQ(wrapped("abcdefghij k", 0, 5), "abcdefghij\nk") << "a long word is not cut";
  EXPECT_EQ(wrapped("", 0, 5), "");
}

}  // namespace
}  // namespace leat::tool
