// Number options: the one way in which every program takes a number from its command line or its TOML file. CLI11's own
// conversions are not used for numbers: they read 010 as 8, "" as 0, -1 as 2^64-1, and clamp 2^64.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/quantity.h"
#include "cmdline/command.h"

namespace leat::cmdline {

using internal::QuantityRule;

/// Where a parsed number goes, and how it is read back (for the default that the help shows).
struct NumberTarget {
  std::function<void(std::uint64_t)> store;
  std::function<std::uint64_t()> load;
};

/// Declares an option that takes one number by `rule`. The help names bounds and default; an empty `otherwise` stands
/// for the value that the target holds now.
Option* add_number(Command& app, const std::string& name, const QuantityRule& rule, NumberTarget target,
                   const std::string& description, const std::string& otherwise);

template <std::integral Number>
Option* add_number(Command& app, const std::string& name, Number& value, const QuantityRule& rule,
                   const std::string& description, const std::string& otherwise = "") {
  if (!std::in_range<Number>(rule.most) || !std::in_range<Number>(rule.unlimited.value_or(0))) {
    throw std::logic_error(name + ": its bounds do not fit its type");
  }
  return add_number(app, name, rule,
                    {.store = [&value](std::uint64_t number) { value = static_cast<Number>(number); },
                     .load = [&value] { return static_cast<std::uint64_t>(value); }},
                    description, otherwise);
}

/// `rule` must count in nanoseconds: QuantityRule::seconds.
Option* add_number(Command& app, const std::string& name, std::chrono::nanoseconds& value, const QuantityRule& rule,
                   const std::string& description, const std::string& otherwise = "");

/// parse_quantity, its error thrown as BadValue.
std::uint64_t take_number(const std::string& name, const std::string& text, const QuantityRule& rule);

/// Whether it was declared with add_number.
bool is_number(const Option& option);

}  // namespace leat::cmdline
