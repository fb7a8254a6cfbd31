// The event that a producer's caller fills in place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/mapping.h"
#include "client-lib/publish/bounds.h"

namespace leat::client {

/// At most one, from claim() to commit() or abandon(). Its room stays mapped over a change of arenas: the caller has a
/// span of it. One thread.
class OpenClaim {
 public:
  /// `bounds`: outlive this object; they admit no other event while a claim is open.
  explicit OpenClaim(Bounds& bounds) noexcept : bounds_(bounds) {}
  OpenClaim(const OpenClaim&) = delete;
  OpenClaim& operator=(const OpenClaim&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return record_ != nullptr; }
  /// Of its record, padded.
  [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }
  /// In the arena of a former registration: commit() is to copy it into the arena of now.
  [[nodiscard]] bool is_in_former_arena() const noexcept { return former_arena_.valid(); }

  void open(std::byte* record, std::uint32_t bytes) noexcept;
  void close() noexcept;
  /// The producer has given up this arena. Kept if the claim is in there, else unmapped.
  void keep(internal::Mapping arena) noexcept;
  /// The record as its caller has filled it in by now, with the number that it gets in the arena of now.
  void copy_to(std::byte* room, std::uint64_t producer_sequence) const noexcept;

 private:
  Bounds& bounds_;
  std::byte* record_ = nullptr;
  std::uint32_t bytes_ = 0;
  internal::Mapping former_arena_;
};

}  // namespace leat::client
