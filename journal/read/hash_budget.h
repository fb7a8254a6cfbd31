// What a search for good records may cost.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Bytes that were made to look like the headers of long records must not make a search quadratic: it hashes so many
/// bytes of candidates, and no more. What a search does with a candidate that it may not hash is its own rule.
class HashBudget {
 public:
  explicit HashBudget(std::uint64_t bytes) noexcept : left_(bytes) {}

  /// False, and nothing is spent, if there is not so much left.
  [[nodiscard]] bool spend(std::uint64_t bytes) noexcept {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

 private:
  std::uint64_t left_;
};

}  // namespace leat::internal
