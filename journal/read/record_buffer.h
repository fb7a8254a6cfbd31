// A private buffer of consecutive bytes of the stream, and the decoder over it. Both are the same for bytes from the
// broadcast ring and from the journal: that is why a hand-over between the two needs no translation (I3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/wiped_memory.h"
#include "record/record.h"

namespace leat::internal {

/// Not thread-safe. Record views point into it until the next fill. A fork's child finds no record in it.
class RecordBuffer {
 public:
  enum class [[nodiscard]] Next : std::uint8_t{
      record,     ///< a record; the buffer has moved behind it
      need_more,  ///< the bytes end before the next record does: fill again at position()
      end,        ///< a zero checksum: nothing was ever written here (only where checksums are verified)
      bad,        ///< lengths or checksum do not hold; position() stays on it
  };

  explicit RecordBuffer(std::size_t bytes) : memory_(bytes / kWordBytes * kWordBytes) {}

  /// Forgets the bytes and stands at `position`.
  void restart(std::uint64_t position) noexcept {
    position_ = position;
    offset_ = filled_ = 0;
  }

  /// Room to fill with the bytes at position(), from its start. Call filled() afterwards.
  [[nodiscard]] std::byte* room() noexcept { return memory_.data(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return memory_.bytes(); }
  void ensure_capacity(std::size_t bytes) {
    if (bytes > capacity()) memory_.grow(align_up(bytes, kPageBytes));
  }

  /// `bytes` at position() are now in room(). `verify`: check each record's checksum (journal), or not (ring, whose
  /// bytes have just passed the copy-then-check rule).
  void filled(std::size_t bytes, bool verify) noexcept {
    filled_ = bytes;
    offset_ = 0;
    verify_ = verify;
  }

  /// Position of the next record.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  /// After need_more: the size of the record in question if its header is there, else 0.
  [[nodiscard]] std::size_t wanted_bytes() const noexcept { return wanted_; }
  [[nodiscard]] std::size_t filled_bytes() const noexcept { return filled_; }

  /// A place in the buffer to come back to, as long as it is not filled anew.
  struct Bookmark {
    std::uint64_t position;
    std::size_t offset;
  };
  [[nodiscard]] Bookmark bookmark() const noexcept { return {position_, offset_}; }
  void rewind(const Bookmark& mark) noexcept {
    position_ = mark.position;
    offset_ = mark.offset;
  }

  /// The next record if it is whole, sane and, where that is asked for, of the right checksum; the buffer stays where
  /// it is until pass(). nullptr: next() says why. The way of nearly every record, so it decodes nothing.
  [[nodiscard]] const std::byte* peek(std::uint64_t feed_seed, std::size_t max_record_bytes) const noexcept {
    const std::byte* const from = memory_.data() + offset_;
    const std::size_t available = filled_ - offset_;
    if (available < kRecordHeaderBytes) return nullptr;
    const auto& header = header_at(from);
    if (!header_is_sane(header, max_record_bytes) || padded_record_bytes(header.length) > available) return nullptr;
    if (verify_ && record_checksum(from, header.length, feed_seed, position_) != header.checksum) return nullptr;
    return from;
  }
  /// Moves behind the record that peek() found.
  void pass(std::uint32_t length) noexcept {
    const std::size_t bytes = padded_record_bytes(length);
    offset_ += bytes;
    position_ += bytes;
  }

  Next next(RecordView& out, std::uint64_t feed_seed, std::size_t max_record_bytes) noexcept {
    const std::byte* const from = memory_.data() + offset_;
    const std::size_t available = filled_ - offset_;
    wanted_ = 0;
    if (verify_ && available >= kWordBytes && header_at(from).checksum == 0) return Next::end;
    switch (decode_record(from, available, max_record_bytes, out)) {
      case Decode::malformed: return Next::bad;
      case Decode::need_more: wanted_ = padded_record_bytes(out.header.length); return Next::need_more;
      case Decode::ok: break;
    }
    if (verify_ && record_checksum(from, out.header.length, feed_seed, position_) != out.header.checksum) {
      return Next::bad;
    }
    pass(out.header.length);
    return Next::record;
  }

 private:
  WipedMemory memory_;
  std::uint64_t position_ = 0;
  std::size_t offset_ = 0;
  std::size_t filled_ = 0;
  std::size_t wanted_ = 0;
  bool verify_ = true;
};

}  // namespace leat::internal
