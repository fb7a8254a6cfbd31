// Assertions about our own invariants. Never used on bytes that another process can write.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace leat::internal {

[[noreturn]] inline void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "leat: internal invariant broken: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace leat::internal

/// Checked in every build.
#define LEAT_ASSERT(expression) \
  ((expression) ? void(0) : ::leat::internal::assertion_failed(#expression, __FILE__, __LINE__))

/// Checked in dev, asan and tsan builds: for the hot path.
#ifdef LEAT_CHECKS
#define LEAT_DCHECK(expression) LEAT_ASSERT(expression)
#else
#define LEAT_DCHECK(expression) void(0)
#endif
