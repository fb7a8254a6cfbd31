// An enum in an atomic word that processes share.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/atomic.h"

namespace leat::internal {

/// `Word` holds the value, and has its size and alignment: a layout says by it how many bytes there are, whatever E is
/// made of. What another process has written may be no enumerator at all: load() returns it as it is, so code that
/// decides by it compares with the values that it knows, and takes every other for none of them.
template <typename E, typename Word = Atomic<std::uint32_t>>
class AtomicEnum {
 public:
  static_assert(std::is_enum_v<E> && sizeof(Word) >= sizeof(E));
  static_assert(!std::is_convertible_v<E, int>, "a scoped enum: it can hold every value of its type");

  AtomicEnum() = default;
  AtomicEnum(E value) noexcept : word_(bits_of(value)) {}  // NOLINT(google-explicit-constructor): as std::atomic

  [[nodiscard]] E load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return static_cast<E>(word_.load(order));
  }
  void store(E value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    word_.store(bits_of(value), order);
  }
  /// False: another value stood there, which `expected` then is.
  bool compare_exchange_strong(E& expected, E desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    auto bits = bits_of(expected);
    const bool done = word_.compare_exchange_strong(bits, bits_of(desired), order);
    expected = static_cast<E>(bits);
    return done;
  }

 private:
  using Bits = decltype(std::declval<const Word&>().load());
  static constexpr Bits bits_of(E value) noexcept { return static_cast<Bits>(value); }

  Word word_;
};

}  // namespace leat::internal
