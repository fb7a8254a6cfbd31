// The atomic of everything that processes share: std::atomic. tests/interleave compiles the same protocols with one
// whose every operation is a step of a deterministic scheduler, under a model of weak memory.
#pragma once

#include <atomic>

#ifdef LEAT_SIMULATED_ATOMICS

#include "tests/interleave/simulated_atomic.h"

#else

namespace leat::internal {

template <typename T>
using Atomic = std::atomic<T>;

inline void thread_fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }

}  // namespace leat::internal

#endif
