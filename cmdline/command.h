// The command line of a program: what it takes, what it says about itself, how it is parsed. Only command.cc knows the
// parser behind it, so that only that file compiles it.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace leat::cmdline {

class Command;

/// An option's value is no good. Thrown by what takes it; parse() makes a ParseError of it.
class BadValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A command line that is not to be carried out: wrong, or answered already (--help, --version).
class ParseError : public std::runtime_error {
 public:
  explicit ParseError(const CLI::ParseError& error);

  /// --help or --version: Command::exit() says what was asked for.
  [[nodiscard]] bool is_answered() const;
  /// An argument that nobody expected: the last word of what().
  [[nodiscard]] bool is_unexpected() const { return unexpected_; }

 private:
  friend class Command;
  std::shared_ptr<const CLI::ParseError> error_;
  bool unexpected_ = false;
};

/// An option, a flag or a positional argument. Belongs to its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option* required(bool needed = true);
  Option* envname(const std::string& variable);
  Option* type_name(const std::string& name);
  /// The heading it stands under in the help; an empty one hides it.
  Option* group(const std::string& heading);
  /// How many values.
  Option* expected(int least, int most);
  /// Of an option with many values: each is given behind the option's name, so that a positional one may follow.
  Option* one_value_each();
  Option* default_str(const std::string& text);
  Option* default_function(const std::function<std::string()>& text);
  Option* capture_default_str();
  /// `complaint` returns what is wrong with a value, or an empty text.
  Option* check(const std::function<std::string(const std::string&)>& complaint);
  Option* needs(const Option* other);
  /// Giving both is refused.
  Option* excludes(const Option* other);

  /// How often it was given.
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] bool get_required() const;
  [[nodiscard]] bool get_positional() const;
  [[nodiscard]] int get_items_expected_max() const;
  [[nodiscard]] std::string get_name(bool positional = false, bool all_options = false) const;
  /// Without the dashes.
  [[nodiscard]] const std::vector<std::string>& get_lnames() const;
  [[nodiscard]] const std::string& get_description() const;
  [[nodiscard]] const std::string& get_group() const;
  [[nodiscard]] std::string get_type_name() const;
  [[nodiscard]] std::string get_envname() const;
  [[nodiscard]] std::string get_default_str() const;

 private:
  friend class Command;
  CLI::Option* option_;
};

/// A program, or a command of it. What values go to must live as long as it parses.
class Command {
 public:
  explicit Command(const std::string& about = "", const std::string& name = "");
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& about);
  Option* add_option(const std::string& names, std::string& value, const std::string& description = "");
  Option* add_option(const std::string& names, std::optional<std::string>& value, const std::string& description = "");
  Option* add_option(const std::string& names, std::vector<std::string>& values, const std::string& description = "");
  /// `take` gets the text, and throws BadValue if it is no good.
  Option* add_taker(const std::string& names, std::function<void(const std::string&)> take,
                    const std::string& description);
  Option* add_flag(const std::string& names, bool& value, const std::string& description = "");
  void set_version_flag(const std::string& names, const std::string& text);

  void name(const std::string& name);
  /// As Option::group.
  Command* group(const std::string& heading);
  void footer(const std::string& text);
  void require_subcommand(std::size_t number) { require_subcommand(number, number); }
  void require_subcommand(std::size_t least, std::size_t most);
  /// The help is Leat's own (help_format.h), also that of subcommands added later, and begins with these command lines.
  void help_with_examples(std::vector<std::string> examples);

  /// Throws ParseError.
  void parse(std::vector<std::string> words);
  /// Says on standard output what --help or --version asked for, on standard error what was wrong. The exit status.
  int exit(const ParseError& error) const;
  int exit(const ParseError& error, std::ostream& out, std::ostream& err) const;

  [[nodiscard]] std::string help() const;
  [[nodiscard]] const std::string& get_name() const;
  [[nodiscard]] std::string get_description() const;
  [[nodiscard]] std::vector<const Option*> get_options() const;
  /// Throws if there is none of that name.
  Option* get_option(const std::string& name);
  [[nodiscard]] const Option* get_option_no_throw(const std::string& name) const;
  [[nodiscard]] std::vector<const Command*> all_subcommands() const;
  Command* get_subcommand(const std::string& name);

  // After a parse.
  [[nodiscard]] std::size_t count(const std::string& option) const;
  [[nodiscard]] bool parsed() const;
  [[nodiscard]] bool got_subcommand(const std::string& name) const;
  /// Those that were given.
  [[nodiscard]] std::vector<const Command*> get_subcommands() const;
  /// Words that nobody expected.
  [[nodiscard]] std::vector<std::string> remaining() const;

 private:
  struct Parts;
  explicit Command(CLI::App* app);
  Option* wrapped(CLI::Option* option) const;

  std::unique_ptr<CLI::App> owned_;  // of a program; its commands are the parser's
  CLI::App* app_;
  std::unique_ptr<Parts> parts_;
};

/// Parses the command line. `--name=` is the empty value: the parser behind this would take the next argument in its
/// place, whatever that says. Throws ParseError.
void parse(Command& command, int argc, const char* const* argv);
/// The same of the words behind the program's name.
void parse(Command& command, std::vector<std::string> words);

}  // namespace leat::cmdline
