// Numbers that tests are given from outside. What is none ends the program: a test that runs with another number than
// was meant would say what is not so.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/quantity.h"

namespace leat::test {

inline std::uint64_t number_or_exit(std::string_view name, std::string_view text, std::uint64_t least = 0,
                                    std::uint64_t most = UINT64_MAX) {
  const auto number = internal::parse_quantity(name, text, internal::QuantityRule::count(least, most));
  if (number) return *number;
  std::fprintf(stderr, "%s\n", number.error().message.c_str());
  std::exit(2);
}

/// `otherwise` if the variable is not set.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise, std::uint64_t least = 0,
                                             std::uint64_t most = UINT64_MAX) {
  const char* const given = std::getenv(name);
  return given == nullptr ? otherwise : number_or_exit(name, given, least, most);
}

}  // namespace leat::test
