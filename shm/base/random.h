// Random identities.
#pragma once

#include <sys/random.h>

#include <cstdint>

#include "shm/base/check.h"

namespace leat::shm {

/// Fills `value` from the kernel's generator.
template <typename T>
void fill_random(T& value) {
  LEAT_ASSERT(getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
}

/// A random non-zero number: zero means "none" wherever an identity is stored.
inline std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) fill_random(id);
  return id;
}

}  // namespace leat::shm
