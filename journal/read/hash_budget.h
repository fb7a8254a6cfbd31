// What a search for good records may cost.
#pragma once

#include <cstdint>

namespace leat::internal {

/// A search for good records hashes so many bytes of candidates, and no more: bytes that were made to look like the
/// headers of long records must not make the search quadratic. Each search has a rule of its own for a candidate that
/// may not be hashed.
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
