// Every number option of every program, read from its parser, so that a new one is in these tests by itself: at its
// extremes it is taken for exactly what was typed, or refused with an error that names the option, the text, and the
// bounds.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/suite/command_line.h"
#include "broker/host/option_list.h"
#include "process/stress/command_line.h"
#include "tools/demo/command_line.h"
#include "tools/leat/commands.h"

namespace leat {
namespace {

__extension__ using Wide = __int128;

struct Parser {
  std::unique_ptr<cmdline::Command> app;
  std::shared_ptr<void> values;
};

template <typename Values>
Parser parser(void (*declare)(cmdline::Command&, Values&)) {
  auto values = std::make_shared<Values>();
  auto app = std::make_unique<cmdline::Command>();
  declare(*app, *values);
  return {std::move(app), std::move(values)};
}

Parser parser_of_leat() {
  auto commands = std::make_shared<tool::Commands>();
  auto app = std::make_unique<cmdline::Command>();
  tool::declare_commands(*app, *commands);
  return {std::move(app), std::move(commands)};
}

struct Program {
  const char* name;
  Parser (*make)();
  std::size_t least_numbers;  ///< fewer mean that the walk does not see them
};

const Program kPrograms[] = {
    {"leatd", [] { return parser<broker::OptionList>(broker::declare_options); }, 14},
    {"leat", parser_of_leat, 12},
    {"leat-demo", [] { return parser<demo::CommandLine>(demo::declare_options); }, 5},
    {"leat-stress", [] { return parser<stress::Command>(stress::declare_options); }, 8},
    {"leat-bench", [] { return parser<bench::Options>(bench::declare_options); }, 2},
};

// A number option: the commands that lead to it, and its longest name.
struct Place {
  const Program* program = nullptr;
  std::vector<std::string> commands;
  std::string name;  ///< "--retain-bytes"
  std::string type;  ///< "N", "BYTES", "DURATION"
};

cmdline::Command* app_at(cmdline::Command& app, const std::vector<std::string>& commands) {
  cmdline::Command* at = &app;
  for (const std::string& command : commands) at = at->get_subcommand(command);
  return at;
}

void walk(const Program& program, const cmdline::Command& app, const std::vector<std::string>& commands,
          const std::function<void(const cmdline::Option&, const Place&)>& visit) {
  for (const cmdline::Option* option : app.get_options()) {
    const std::string name = option->get_lnames().empty() ? option->get_name() : "--" + option->get_lnames().front();
    visit(*option, {&program, commands, name, option->get_type_name()});
  }
  for (const cmdline::Command* command : app.all_subcommands()) {
    auto deeper = commands;
    deeper.push_back(command->get_name());
    walk(program, *command, deeper, visit);
  }
}

bool is_number(const Place& place) { return place.type == "N" || place.type == "BYTES" || place.type == "DURATION"; }

std::vector<Place> all_numbers() {
  std::vector<Place> places;
  for (const Program& program : kPrograms) {
    const Parser parser = program.make();
    walk(program, *parser.app, {}, [&](const cmdline::Option&, const Place& place) {
      if (is_number(place)) places.push_back(place);
    });
  }
  return places;
}

struct Outcome {
  bool taken = false;
  std::string echo;  ///< what the program's own variable holds now
  std::string error;
};

// The words that the program needs besides.
std::vector<std::string> needed_words(cmdline::Command& app, const Place& place) {
  std::vector<std::string> words;
  cmdline::Command* at = &app;
  const auto add_required = [&] {
    for (const cmdline::Option* option : at->get_options()) {
      if (!option->get_required() || option->get_lnames().empty() || "--" + option->get_lnames().front() == place.name)
        continue;
      words.push_back("--" + option->get_lnames().front());
      words.emplace_back("1");
    }
  };
  add_required();
  for (const std::string& command : place.commands) {
    words.push_back(command);
    at = at->get_subcommand(command);
    add_required();
  }
  return words;
}

Outcome parse(const Place& place, const std::vector<std::string>& extra) {
  const Parser parser = place.program->make();
  std::vector<std::string> words = needed_words(*parser.app, place);
  words.insert(words.end(), extra.begin(), extra.end());
  Outcome outcome;
  try {
    if (std::string_view(place.program->name) == "leatd") {
      auto all = broker::with_config(words);
      if (!all) {
        outcome.error = all.error().message;
        return outcome;
      }
      words = std::move(*all);
    }
    cmdline::parse(*parser.app, words);
  } catch (const cmdline::ParseError& error) {
    outcome.error = error.what();
    return outcome;
  }
  outcome.taken = true;
  cmdline::Option* option = app_at(*parser.app, place.commands)->get_option(place.name);
  option->capture_default_str();
  outcome.echo = option->get_default_str();
  return outcome;
}

// Meanings, kept apart from the code under test: what each text says, written down.
constexpr Wide kThousandth = 1;
constexpr Wide kOne = 1000;
struct Typed {
  std::string text;
  std::optional<Wide> bare = {};   ///< a number without a unit, in thousandths
  std::optional<Wide> bytes = {};  ///< a size
  std::optional<Wide> ns = {};     ///< a duration
  bool unlimited = false;
};

std::vector<Typed> extremes() {
  const Wide two_63 = Wide{1} << 63;
  const Wide two_64 = Wide{1} << 64;
  const Wide giga = Wide{1} << 30;
  const Wide second = 1'000'000'000;
  return {
      {"0", 0},
      {"1", kOne},
      {"050", 50 * kOne},
      {"010", 10 * kOne},
      {"0000064", 64 * kOne},
      {"65536", 65536 * kOne},
      {"9223372036", 9223372036 * kOne},
      {"9223372037", 9223372037 * kOne},
      {"9999999999", 9999999999 * kOne},
      {"4294967295", 4294967295 * kOne},
      {"4294967296", 4294967296 * kOne},
      {"4294967297", 4294967297 * kOne},
      {"2147483648", 2147483648 * kOne},
      {"9223372036854775807", (two_63 - 1) * kOne},
      {"9223372036854775808", two_63 * kOne},
      {"18446744073709551615", (two_64 - 1) * kOne},
      {"18446744073709551616", two_64 * kOne},
      {"18446744073709551617", (two_64 + 1) * kOne},
      {"99999999999999999999999999999", Wide{99999999999999} * 1000000000000000 * kOne + Wide{999999999999999} * kOne},
      {"1.5", 1500 * kThousandth},
      {"0.5", 500},
      {"0.001", 1},
      {"1.0", kOne},
      {"2.000", 2 * kOne},
      {.text = "1K", .bytes = 1024},
      {.text = "64K", .bytes = 65536},
      {.text = "1M", .bytes = 1 << 20},
      {.text = "1G", .bytes = giga},
      {.text = "1.5G", .bytes = 3 * giga / 2},
      {.text = "1T", .bytes = 1024 * giga},
      {.text = "1P", .bytes = 1024 * 1024 * giga},
      {.text = "16384P", .bytes = two_64},
      {.text = "16385P", .bytes = two_64 + 1024 * 1024 * giga},
      {.text = "18014398509481984K", .bytes = two_64},
      {.text = "18014398509481985K", .bytes = two_64 + 1024},
      {.text = "64KiB", .bytes = 65536},
      {.text = "64MB", .bytes = 64 << 20},
      {.text = "4096B", .bytes = 4096},
      {.text = "20us", .ns = 20'000},
      {.text = "250ms", .ns = 250'000'000},
      {.text = "1s", .ns = second},
      {.text = "90s", .ns = 90 * second},
      {.text = "15m", .bytes = 15 << 20, .ns = 900 * second},
      {.text = "1h", .ns = 3600 * second},
      {.text = "7d", .ns = 7 * 86400 * second},
      {.text = "1w", .ns = 7 * 86400 * second},
      {.text = "1.5h", .ns = 5400 * second},
      {.text = "213503982334602d", .ns = Wide{213503982334602} * 86400 * second},
      {.text = "18446744073709551616ns", .ns = two_64},
      {.text = "18446744073709551617us", .ns = (two_64 + 1) * 1000},
      {.text = "unlimited", .unlimited = true},
      {""},
      {" "},
      {"-1"},
      {"-0"},
      {"-9223372036854775808"},
      {"+5"},
      {" 5"},
      {"5 "},
      {"5\n"},
      {"\t5"},
      {"0x10"},
      {"0b1"},
      {"0o17"},
      {"1e3"},
      {"1E3"},
      {"1e-3"},
      {"nan"},
      {"inf"},
      {"-inf"},
      {"infinity"},
      {"1,5"},
      {"1_000"},
      {"5."},
      {"1.2.3"},
      {"five"},
      {"true"},
      {"{}"},
      {"[]"},
      {"[5]"},
      {"5,6"},
      {"--5"},
      {"-"},
      {"K"},
      {"s"},
      {"5parsec"},
      {"64 K"},
      {"64kbit"},
      {"infinite"},
      {"none"},
      {"\xd9\xa3"},
      {"\xef\xbc\x95"},
      {"5\xc2\xa0"},
      {"\xff"},
      {"%d"},
      {"$5"},
  };
}

// "0.001", "65536", "10^18", "2^64-1", in thousandths.
Wide bound_in_thousandths(const std::string& text) {
  if (text == "2^64-1") return ((Wide{1} << 64) - 1) * kOne;
  if (text == "2^63-1") return ((Wide{1} << 63) - 1) * kOne;
  if (text.starts_with("10^")) {
    Wide value = kOne;
    for (int i = std::stoi(text.substr(3)); i > 0; --i) value *= 10;
    return value;
  }
  Wide value = 0;
  std::size_t behind_point = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.') {
      point = true;
      continue;
    }
    value = value * 10 + (c - '0');
    behind_point += point ? 1 : 0;
  }
  for (; behind_point < 3; ++behind_point) value *= 10;
  return value;
}

// What the error for a text that is no number says would be taken.
struct Bounds {
  Wide low = 0;  // in thousandths of the bare unit
  Wide high = 0;
  Wide unit = 1;     // bytes or nanoseconds of it
  std::string text;  // "give 1 to 4096"
};

std::optional<Bounds> bounds_of(const Place& place) {
  const std::string error = parse(place, {place.name, "no-number"}).error;
  const std::size_t give = error.find("; give ");
  if (give == std::string::npos) return std::nullopt;
  Bounds bounds;
  char low[64];
  char high[64];
  char unit[64];
  if (std::sscanf(error.c_str() + give, "; give %63s to %63[0-9.^-] %63[A-Za-z]", low, high, unit) < 2)
    return std::nullopt;
  bounds.low = bound_in_thousandths(low);
  bounds.high = bound_in_thousandths(high);
  const std::string unit_text = place.type == "N" ? "" : unit;
  bounds.unit = unit_text == "seconds" || unit_text == "GB" ? 1'000'000'000
                : unit_text == "milliseconds"               ? 1'000'000
                : unit_text == "microseconds"               ? 1000
                                                            : 1;
  bounds.text = "give " + std::string(low) + " to " + high;
  return bounds;
}

// What is echoed, in thousandths of bytes, nanoseconds, or of one.
std::optional<Wide> echoed(const std::string& echo, const Place& place) {
  std::size_t digits = 0;
  while (digits < echo.size() && echo[digits] >= '0' && echo[digits] <= '9') ++digits;
  if (digits == 0) return std::nullopt;
  Wide value = 0;
  for (const char c : echo.substr(0, digits)) value = value * 10 + (c - '0');
  const std::string unit = echo.substr(digits);
  const std::pair<const char*, Wide> sizes[] = {{"", 1},        {"K", 1 << 10},       {"M", 1 << 20},
                                                {"G", 1 << 30}, {"T", Wide{1} << 40}, {"P", Wide{1} << 50}};
  const std::pair<const char*, Wide> times[] = {{"ns", 1},
                                                {"us", 1000},
                                                {"ms", 1'000'000},
                                                {"s", 1'000'000'000},
                                                {"m", 60'000'000'000},
                                                {"h", 3'600'000'000'000},
                                                {"d", 86'400'000'000'000}};
  if (place.type == "DURATION" && value == 0) return 0;
  if (place.type == "DURATION") {
    for (const auto& [name, size] : times)
      if (unit == name) return value * size * kOne;
    return std::nullopt;
  }
  for (const auto& [name, size] : sizes)
    if (unit == name) return value * size * kOne;
  return std::nullopt;
}

// The meaning of a text for an option, in thousandths of its base unit; nothing if it has none there.
std::optional<Wide> meaning(const Typed& typed, const Place& place, const Bounds& bounds) {
  if (typed.bare) {
    Wide meant = 0;
    return __builtin_mul_overflow(*typed.bare, bounds.unit, &meant) ? std::nullopt : std::optional(meant);
  }
  if (place.type == "DURATION") return typed.ns ? std::optional(*typed.ns * kOne) : std::nullopt;
  if (!typed.bytes) return std::nullopt;
  return *typed.bytes * kOne;  // of a plain count it may be refused, but never be something else
}

void expect_exact(const Typed& typed, const Place& place, const Bounds& bounds, const Outcome& outcome) {
  const auto meant = meaning(typed, place, bounds);
  if (outcome.taken) {
    if (typed.unlimited) {
      EXPECT_TRUE(outcome.echo == "unlimited" || outcome.echo == "0") << outcome.echo;
      return;
    }
    ASSERT_TRUE(meant.has_value()) << "taken as " << outcome.echo;
    EXPECT_TRUE(echoed(outcome.echo, place) == meant) << "taken as " << outcome.echo;
    return;
  }
  EXPECT_NE(outcome.error.find(place.name), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find(bounds.text), std::string::npos) << outcome.error;
  EXPECT_LT(outcome.error.size(), 400U);
  if (!meant || typed.text.find('.') != std::string::npos) return;
  const bool whole = typed.bare || (*meant % (bounds.unit * kOne) == 0 && place.type != "N");
  const bool within = *meant >= bounds.low * bounds.unit && *meant <= bounds.high * bounds.unit;
  EXPECT_FALSE(whole && within) << "refused although within its bounds: " << outcome.error;
}

TEST(EveryOption, IsDeclaredWithoutAConversionOfTheParsersOwn) {
  for (const Program& program : kPrograms) {
    const Parser parser = program.make();
    std::size_t numbers = 0;
    walk(program, *parser.app, {}, [&](const cmdline::Option&, const Place& place) {
      numbers += is_number(place) ? 1 : 0;
      for (const char* own : {"INT", "UINT", "FLOAT", "NUMBER", "SIZE", "CHAR", "ENUM"}) {
        EXPECT_EQ(place.type.find(own), std::string::npos) << program.name << " " << place.name << ": " << place.type;
      }
    });
    EXPECT_GE(numbers, program.least_numbers) << program.name;
  }
}

TEST(EveryOption, AtItsExtremesIsTakenForExactlyThatOrRefused) {
  const std::vector<Typed> texts = extremes();
  for (const Place& place : all_numbers()) {
    const auto bounds = bounds_of(place);
    ASSERT_TRUE(bounds) << place.program->name << " " << place.name;
    for (const Typed& typed : texts) {
      SCOPED_TRACE(std::string(place.program->name) + " " + place.name + " '" + typed.text + "'");
      expect_exact(typed, place, *bounds, parse(place, {place.name + "=" + typed.text}));
      // As a word of its own; after an option with an optional value a word that looks like an option is one.
      if (place.name != "--watch" || !typed.text.starts_with("-")) {
        expect_exact(typed, place, *bounds, parse(place, {place.name, typed.text}));
      }
    }
  }
}

TEST(EveryOption, TakesItsBoundsAndNothingBeyond) {
  for (const Place& place : all_numbers()) {
    SCOPED_TRACE(std::string(place.program->name) + " " + place.name);
    const auto bounds = bounds_of(place);
    ASSERT_TRUE(bounds);
    const auto typed = [&](Wide value) {  // whole numbers of the bare unit only
      return std::to_string(static_cast<unsigned long long>(value / kOne));
    };
    if (bounds->low % kOne == 0) {
      EXPECT_TRUE(parse(place, {place.name, typed(bounds->low)}).taken);
    }
    EXPECT_TRUE(parse(place, {place.name, typed(bounds->high)}).taken);
    if (bounds->low >= kOne) {
      EXPECT_FALSE(parse(place, {place.name, typed(bounds->low - kOne)}).taken);
    }
    if (bounds->high < bound_in_thousandths("2^64-1")) {
      EXPECT_FALSE(parse(place, {place.name, typed(bounds->high + kOne)}).taken);
    }
  }
}

class ConfigFile {
 public:
  ConfigFile() : path_(::testing::TempDir() + "/leat-every-option-" + std::to_string(::getpid()) + ".toml") {}
  ~ConfigFile() { std::remove(path_.c_str()); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string toml_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char code[8];
    std::snprintf(code, sizeof code, byte < 0x20 ? "\\u%04x" : "%c", byte);
    out += code;
  }
  return out + "\"";
}

TEST(EveryOption, InATomlFileIsTakenLikeOnTheCommandLine) {
  const ConfigFile file;
  for (const Place& place : all_numbers()) {
    if (std::string_view(place.program->name) != "leatd") continue;
    const auto bounds = bounds_of(place);
    ASSERT_TRUE(bounds);
    for (const Typed& typed : extremes()) {
      SCOPED_TRACE(place.name + " '" + typed.text + "'");
      file.write(place.name.substr(2) + " = " + toml_string(typed.text) + "\n");
      const Outcome outcome = parse(place, {"--config", file.path()});
      if (typed.text == "\xff") {
        EXPECT_NE(outcome.error.find("not TOML"), std::string::npos) << outcome.error;
        continue;
      }
      expect_exact(typed, place, *bounds, outcome);
      if (!outcome.taken) {
        EXPECT_TRUE(outcome.error.starts_with(file.path() + ", line 1, column 1: ")) << outcome.error;
      }
    }
    // What TOML itself calls a number, and what it does not. 050, 2^63 and inf are for TOML to refuse, or to tell us.
    const std::pair<const char*, std::optional<Wide>> values[] = {{"0", 0},
                                                                  {"65536", 65536},
                                                                  {"65_536", 65536},
                                                                  {"0x10", 16},
                                                                  {"0o20", 16},
                                                                  {"0b10000", 16},
                                                                  {"+7", 7},
                                                                  {"9223372036", 9223372036},
                                                                  {"9223372037", 9223372037},
                                                                  {"9223372036854775807", INT64_MAX},
                                                                  {"-1", {}},
                                                                  {"-9223372036854775808", {}},
                                                                  {"9223372036854775808", {}},
                                                                  {"18446744073709551615", {}},
                                                                  {"050", {}},
                                                                  {"1.0", {}},
                                                                  {"1e3", {}},
                                                                  {"inf", {}},
                                                                  {"nan", {}},
                                                                  {"-inf", {}},
                                                                  {"true", {}},
                                                                  {"false", {}},
                                                                  {"[]", {}},
                                                                  {"[5]", {}},
                                                                  {"[5, 6]", {}},
                                                                  {"{}", {}},
                                                                  {"{a = 1}", {}},
                                                                  {"2026-01-01", {}},
                                                                  {"12:00:00", {}},
                                                                  {"", {}},
                                                                  {"''", {}},
                                                                  {"\"\"\"\n5\n\"\"\"", {}}};
    for (const auto& [value, number] : values) {
      SCOPED_TRACE(place.name + " = " + value);
      file.write(place.name.substr(2) + " = " + value + "\n");
      const Outcome outcome = parse(place, {"--config", file.path()});
      if (!outcome.taken) {
        const bool of_toml = outcome.error.find("line 1") != std::string::npos;  // or the key is named
        EXPECT_TRUE(of_toml || outcome.error.find(place.name.substr(2)) != std::string::npos) << outcome.error;
        continue;
      }
      ASSERT_TRUE(number.has_value()) << "taken as " << outcome.echo;
      EXPECT_TRUE(echoed(outcome.echo, place) == *number * bounds->unit * kOne) << "taken as " << outcome.echo;
    }
  }
}

TEST(EveryOption, TheCustomaryMinusOneNeverMeansDeleteEverything) {
  for (const char* option : {"--retain-seconds", "--retain-bytes", "--retain-events", "--cursor-hold-bytes"}) {
    const char* argv[] = {"leatd", "--feed", "x", option, "-1"};
    const auto parsed = broker::parse_options(5, argv);
    EXPECT_EQ(parsed.status, 2);
    EXPECT_NE(parsed.text.find(option), std::string::npos) << parsed.text;
    EXPECT_NE(parsed.text.find("unlimited means no bound"), std::string::npos) << parsed.text;
  }
}

TEST(EveryOption, AnEmptyValueDoesNotSwallowTheNextArgument) {
  const char* argv[] = {"leatd", "--feed", "x", "--retain-seconds=", "5"};
  EXPECT_EQ(broker::parse_options(5, argv).status, 2);
  const char* directory[] = {"leatd", "--feed", "x", "--log-file=", "--standby"};
  EXPECT_TRUE(broker::parse_options(5, directory).options.standby);
}

}  // namespace
}  // namespace leat
