// The journal's stream, record by record, from wherever its bytes are to be had: the broadcast ring while the
// position is inside its window, the journal's files while it is not. One buffer and one decoder for both, so a
// hand-over in either direction can neither skip nor repeat (I3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <leat/consumer.h>

#include "shm/broadcast/broadcast_ring.h"
#include "journal/read/journal_end.h"
#include "journal/read/journal_files.h"
#include "journal/read/record_walk.h"

namespace leat::client {

/// Not thread-safe.
class RecordStream {
 public:
  explicit RecordStream(internal::JournalFiles files);

  enum class [[nodiscard]] Next : std::uint8_t{
      record,   ///< an event or a gap; marks and segment ends are passed over in here
      empty,    ///< nothing more up to the limit
      expired,  ///< the position has left the journal
      failed,   ///< see error(); the stream stays where it is
      waiting,  ///< there is more, but only a broker can open it for this user, and there is none: see error()
  };

  /// Reads from `ring` too from now on, up to its `level` watermark. Without, up to the end of what is stored.
  void attach(internal::BroadcastReader ring, Level level) noexcept;
  void detach() noexcept { ring_.reset(); }

  /// Without a ring: up to here the journal is known to go, so an end before it is none.
  void set_verified_end(std::uint64_t position) noexcept { verified_end_ = position; }

  /// Goes to `position`, which must be the start of a record.
  void seek(std::uint64_t position);

  /// The common case, inlined: the event of `sequence`, if it is the next record in the buffer; it lives until the next
  /// fill. nullptr: next() says what there is instead.
  [[nodiscard]] const std::byte* next_event(std::uint64_t sequence) noexcept {
    if (!ring_) return nullptr;
    const std::byte* const record = buffer_.peek(files_.feed_seed(), max_record_bytes());
    if (record == nullptr) return nullptr;
    const auto& header = internal::header_at(record);
    if (header.type != static_cast<std::uint16_t>(internal::RecordType::event) || header.sequence != sequence)
      return nullptr;
    starts_segment_ = false;
    in_batch_ = (header.flags & internal::kFlagMoreInBatch) != 0;
    buffer_.pass(header.length);
    return record;
  }

  Next next(internal::RecordView& out) {
    const Next found = next_after(buffer_.next(out, files_.feed_seed(), max_record_bytes()), out);
    return found == Next::failed ? judge_failed() : found;
  }

  [[nodiscard]] std::uint64_t position() const noexcept { return buffer_.position(); }
  [[nodiscard]] std::uint64_t limit() const noexcept;
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  [[nodiscard]] internal::JournalFiles& files() noexcept { return files_; }
  [[nodiscard]] const internal::BroadcastReader* ring() const noexcept { return ring_ ? &*ring_ : nullptr; }

  std::uint64_t lapped = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t journal_bytes = 0;

 private:
  using Filled = std::optional<internal::Walked>;  // nothing: the buffer is filled at its position
  static bool is_type(const internal::RecordView& record, internal::RecordType type) noexcept {
    return record.header.type == static_cast<std::uint16_t>(type);
  }
  [[nodiscard]] std::size_t max_record_bytes() const noexcept {
    return ring_ && !from_journal_ ? ring_->max_record_bytes() : files_.data_bytes();
  }
  Next next_after(internal::RecordBuffer::Next found, internal::RecordView& out);
  Filled fill();
  bool fill_from_ring(std::uint64_t limit);
  bool ring_has_half_a_record();
  Filled fill_from_journal(std::uint64_t limit);
  Next judge_bad();
  Next judge_bad_offline();
  Next judge_failed();
  enum class End : std::uint8_t { here, later, unknown };
  End ends_here();
  bool batch_is_whole(internal::RecordView& first);
  Filled judge_missing_offline(const Error& missing);
  [[nodiscard]] std::string last_affected(const internal::SegmentName& name, const internal::JournalEnd& end) const;
  Next fail(Error error);

  internal::JournalFiles files_;
  internal::RecordBuffer buffer_;
  std::optional<internal::BroadcastReader> ring_;
  Level level_ = Level::live;
  std::uint64_t verified_end_ = 0;
  Error error_;
  std::uint64_t filled_at_ = ~0ULL;       // where the buffer was last filled from, and
  std::uint64_t filled_bytes_ = 0;        // with how much: filling the same again is no progress
  std::uint64_t ring_filled_at_ = ~0ULL;  // the same, from the ring
  std::uint64_t ring_filled_bytes_ = 0;
  bool from_journal_ = true;
  bool starts_segment_ = false;  // the record before was a segment_end
  bool in_batch_ = false;
  std::uint64_t filled_from_batch_ = ~0ULL;  // batch_is_whole: the batch that the buffer was last filled for
};

}  // namespace leat::client
