// Stands in for std::atomic where LEAT_SIMULATED_ATOMICS is set (base/atomic.h): each operation is a step of the
// scheduler and goes through the memory model. Same size and layout as what it stands for.
#pragma once

#include <atomic>
#include <cstdint>

namespace leat::sim {

enum class Update : std::uint8_t { exchange, add, bit_or, bit_and };

/// `at` need not lie in the simulated memory: elsewhere these are plain accesses, and no step.
std::uint64_t load(const void* at, unsigned bytes, std::memory_order order) noexcept;
void store(void* at, unsigned bytes, std::uint64_t value, std::memory_order order) noexcept;
/// Returns the old value.
std::uint64_t update(void* at, unsigned bytes, Update how, std::uint64_t operand, std::memory_order order) noexcept;
bool compare_exchange(void* at, unsigned bytes, std::uint64_t& expected, std::uint64_t desired,
                      std::memory_order order) noexcept;
void fence(std::memory_order order) noexcept;

inline std::uint64_t load_word(const void* at) noexcept { return load(at, 8, std::memory_order_relaxed); }
inline void store_word(void* at, std::uint64_t value) noexcept { store(at, 8, value, std::memory_order_relaxed); }

}  // namespace leat::sim

namespace leat::internal {

template <typename T>
class Atomic {
 public:
  Atomic() = default;
  constexpr Atomic(T value) noexcept : value_(value) {}  // NOLINT(google-explicit-constructor): as std::atomic
  [[nodiscard]] T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return static_cast<T>(sim::load(&value_, sizeof(T), order));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    sim::store(&value_, sizeof(T), value, order);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(sim::Update::exchange, value, order);
  }
  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(sim::Update::add, value, order);
  }
  T fetch_or(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(sim::Update::bit_or, value, order);
  }
  T fetch_and(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(sim::Update::bit_and, value, order);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    std::uint64_t wide = expected;
    const bool won = sim::compare_exchange(&value_, sizeof(T), wide, desired, order);
    expected = static_cast<T>(wide);
    return won;
  }

 private:
  T update(sim::Update how, T operand, std::memory_order order) noexcept {
    return static_cast<T>(sim::update(&value_, sizeof(T), how, operand, order));
  }
  T value_;
};

inline void thread_fence(std::memory_order order) noexcept { sim::fence(order); }

}  // namespace leat::internal
