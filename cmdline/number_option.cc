#include "cmdline/number_option.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace leat::cmdline {
namespace {

/// "--count" of "-n,--count".
std::string long_name(const std::string& names) { return names.substr(names.find_last_of(',') + 1); }

std::string type_name(const QuantityRule& rule) {
  switch (rule.kind) {
    case internal::QuantityKind::count:
    case internal::QuantityKind::slots: return "N";
    case internal::QuantityKind::bytes: return "BYTES";
    case internal::QuantityKind::duration: break;
  }
  return "DURATION";
}

/// Whether some option of this name, of the program or of a command, takes a value.
bool takes_a_value(const CLI::App& app, const std::string& name) {
  const auto options = app.get_options([&](const CLI::Option* option) { return option->check_name(name); });
  if (std::ranges::any_of(options, [](const CLI::Option* option) { return option->get_items_expected_max() > 0; }))
    return true;
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  return std::ranges::any_of(commands, [&](const CLI::App* command) { return takes_a_value(*command, name); });
}

}  // namespace

std::uint64_t take_number(const std::string& name, const std::string& text, const QuantityRule& rule) {
  const auto number = internal::parse_quantity(name, text, rule);
  if (!number) throw CLI::ValidationError(number.error().message);
  return *number;
}

CLI::Option* add_number(CLI::App& app, const std::string& name, const QuantityRule& rule, NumberTarget target,
                        const std::string& description, const std::string& otherwise) {
  const std::string shown = otherwise.empty() ? internal::quantity_text(target.load(), rule) : otherwise;
  const auto take = [store = std::move(target.store), option = long_name(name), rule](const std::string& text) {
    store(take_number(option, text, rule));
  };
  CLI::Option* const option = app.add_option_function<std::string>(name, take,
                                                                   description + " (" + internal::bounds_text(rule) +
                                                                       "; default: " + shown + ")");
  option->type_name(type_name(rule));
  option->default_function([load = std::move(target.load), rule] { return internal::quantity_text(load(), rule); });
  return option;
}

CLI::Option* add_number(CLI::App& app, const std::string& name, std::chrono::nanoseconds& value,
                        const QuantityRule& rule, const std::string& description, const std::string& otherwise) {
  if (rule.step != 1 || !std::in_range<std::int64_t>(rule.most)) {
    throw std::logic_error(name + ": its bounds do not fit its type");
  }
  return add_number(app, name, rule,
                    {.store =
                         [&value](std::uint64_t ns) {
                           value = std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
                         },
                     .load = [&value] { return static_cast<std::uint64_t>(value.count()); }},
                    description, otherwise);
}

bool is_number(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type == "N" || type == "BYTES" || type == "DURATION";
}

void parse(CLI::App& app, std::vector<std::string> words) {
  std::vector<std::string> split;
  bool options_end = false;
  for (std::string& word : words) {
    options_end = options_end || word == "--";
    const bool empty_value =
        !options_end && word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1;
    if (empty_value && takes_a_value(app, word.substr(0, word.size() - 1))) {
      split.push_back(word.substr(0, word.size() - 1));
      split.emplace_back();
    } else {
      split.push_back(std::move(word));
    }
  }
  std::ranges::reverse(split);  // as CLI11 wants them
  app.parse(std::move(split));
}

void parse(CLI::App& app, int argc, const char* const* argv) {
  if (app.get_name().empty() && argc > 0) app.name(argv[0]);
  parse(app, argc > 0 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>());
}

}  // namespace leat::cmdline
