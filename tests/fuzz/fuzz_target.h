// What a fuzz target is: a function over bytes that checks what it says, and ends the process when it does not hold.
//
// The same targets run in two programs: leat_fuzz (clang's libFuzzer, which looks for new inputs) and leat_fuzz_replay
// (any compiler: the checked-in corpus, and a few seeded mutations of it, as a regression test).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace leat::fuzz {

using Bytes = std::span<const std::uint8_t>;
using Target = void (*)(Bytes);

/// All targets in this program, by name.
std::map<std::string, Target>& targets();

struct TargetRegistration {
  TargetRegistration(const char* name, Target target) { targets()[name] = target; }
};

/// A promise was broken: says which, and ends the process so that libFuzzer keeps the input.
[[noreturn]] inline void broken(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
  std::abort();
}

/// Takes an input apart. Past its end everything is zero.
class Reader {
 public:
  explicit Reader(Bytes bytes) : left_(bytes) {}

  [[nodiscard]] bool done() const noexcept { return left_.empty(); }
  [[nodiscard]] std::size_t left() const noexcept { return left_.size(); }

  template <typename Number>
  Number take() noexcept {
    Number value{};
    const std::size_t count = std::min(sizeof value, left_.size());
    if (count > 0) std::memcpy(&value, left_.data(), count);
    left_ = left_.subspan(count);
    return value;
  }
  std::uint8_t byte() noexcept { return take<std::uint8_t>(); }
  /// In [0, bound); bound 0 gives 0.
  std::uint64_t below(std::uint64_t bound) noexcept {
    const auto value = bound <= 256     ? std::uint64_t{byte()}
                       : bound <= 65536 ? std::uint64_t{take<std::uint16_t>()}
                                        : take<std::uint64_t>();
    return bound == 0 ? 0 : value % bound;
  }
  Bytes bytes(std::size_t count) noexcept {
    const Bytes taken = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  /// A length byte, then as many bytes.
  std::string_view text() noexcept {
    const Bytes taken = bytes(byte());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  Bytes rest() noexcept { return bytes(left_.size()); }
  /// Numbers that break things: small, huge, near powers of two, or anything.
  std::uint64_t odd_number() noexcept {
    static constexpr std::uint64_t kOdd[] = {0,          1,          7,          8,           47,         48,
                                             63,         64,         4095,       4096,        4097,       0x7fffffff,
                                             0x80000000, 0xfffffff8, 0xffffffff, 0x100000000, 1ULL << 40, ~0ULL >> 1,
                                             1ULL << 63, ~7ULL,      ~0ULL};
    const std::uint8_t kind = byte();
    return kind < std::size(kOdd) ? kOdd[kind] : take<std::uint64_t>();
  }

 private:
  Bytes left_;
};

}  // namespace leat::fuzz

#define LEAT_FUZZ_CHECK(condition)                                          \
  do {                                                                      \
    if (!(condition)) ::leat::fuzz::broken(#condition, __FILE__, __LINE__); \
  } while (false)

/// At namespace scope: LEAT_FUZZ_TARGET(record) { ... use `input` ... }
#define LEAT_FUZZ_TARGET(name)                                                             \
  static void fuzz_##name(::leat::fuzz::Bytes input);                                      \
  static const ::leat::fuzz::TargetRegistration kRegistration_##name(#name, &fuzz_##name); \
  static void fuzz_##name(::leat::fuzz::Bytes input)
