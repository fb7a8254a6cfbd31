// Random identities.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace leat::internal {

/// From the kernel's generator; from /dev/urandom where a seccomp profile forbids the call. False: neither can be had.
bool read_random(void* to, std::size_t bytes) noexcept;

/// Fills `value`. An identity that is not random would be a lie, so without a source of them nothing goes on.
template <typename T>
void fill_random(T& value) {
  LEAT_ASSERT(read_random(&value, sizeof value) && "neither getrandom() nor /dev/urandom can be used");
}

/// A random non-zero number: zero means "none" wherever an identity is stored.
inline std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) fill_random(id);
  return id;
}

}  // namespace leat::internal
