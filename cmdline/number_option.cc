#include "cmdline/number_option.h"

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

}  // namespace

std::uint64_t take_number(const std::string& name, const std::string& text, const QuantityRule& rule) {
  const auto number = internal::parse_quantity(name, text, rule);
  if (!number) throw BadValue(number.error().message);
  return *number;
}

Option* add_number(Command& app, const std::string& name, const QuantityRule& rule, NumberTarget target,
                   const std::string& description, const std::string& otherwise) {
  const std::string shown = otherwise.empty() ? internal::quantity_text(target.load(), rule) : otherwise;
  const auto take = [store = std::move(target.store), option = long_name(name), rule](const std::string& text) {
    store(take_number(option, text, rule));
  };
  Option* const option =
      app.add_taker(name, take, description + " (" + internal::bounds_text(rule) + "; default: " + shown + ")");
  option->type_name(type_name(rule));
  option->default_function([load = std::move(target.load), rule] { return internal::quantity_text(load(), rule); });
  return option;
}

Option* add_number(Command& app, const std::string& name, std::chrono::nanoseconds& value, const QuantityRule& rule,
                   const std::string& description, const std::string& otherwise) {
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

bool is_number(const Option& option) {
  const std::string type = option.get_type_name();
  return type == "N" || type == "BYTES" || type == "DURATION";
}

}  // namespace leat::cmdline
