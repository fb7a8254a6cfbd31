// How much is done, and by what choice.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace leat::test {

/// True in the long form: LEAT_TORTURE=long in the environment.
inline bool is_long() {
  const char* const size = std::getenv("LEAT_TORTURE");
  return size != nullptr && std::string_view(size) == "long";
}

}  // namespace leat::test
