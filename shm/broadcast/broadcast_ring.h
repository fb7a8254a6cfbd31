// The broadcast ring: a streaming seqlock over the newest part of the journal's stream.
//
// Writer:  intent.store(relaxed); fence(release); words.store(relaxed) ...; committed.store(release)
// Reader:  committed.load(acquire); words.load(relaxed) ...; fence(acquire); intent.load(relaxed)
//
// A reader's copy of [position, end) is good if and only if `intent <= position + capacity` after the copy. Had the
// writer stored into any of these bytes before the reader loaded them, the writer's release fence and the reader's
// acquire fence would make the reader see the raised intent. Readers store nothing here: a thousand of them cost the
// writer nothing.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "shm/broadcast/broadcast_layout.h"

namespace leat::internal {

/// The sequencer's end. One thread.
class BroadcastWriter {
 public:
  BroadcastWriter() = default;
  /// `base` is a mirrored mapping. Goes on at `position`, which is both committed and intent.
  BroadcastWriter(std::byte* base, std::uint64_t capacity) noexcept
      : header_(reinterpret_cast<BroadcastHeader*>(base)),
        data_(base + kBroadcastDataOffset),
        mask_(capacity - 1),
        intent_(header_->intent.load(std::memory_order_relaxed)) {
    // After a predecessor's death, the pair that says where `committed` stands must stay readable: write the other.
    const std::uint64_t committed = header_->committed.load(std::memory_order_relaxed);
    commits_ = header_->latest[1].position.load(std::memory_order_relaxed) == committed ? 1 : 0;
    LEAT_DCHECK(std::has_single_bit(capacity) && committed <= intent_);
  }

  [[nodiscard]] std::uint64_t capacity() const noexcept { return mask_ + 1; }

  /// Announces that bytes up to `end` are about to be written, before they are stored. `end` lies at most `capacity`
  /// beyond committed. One store and no fence instruction on x86.
  void raise_intent(std::uint64_t end) noexcept {
    if (end <= intent_) return;
    LEAT_DCHECK(end % kWordBytes == 0);
    intent_ = end;
    header_->intent.store(end, std::memory_order_relaxed);
    fence_release();  // SYNC POINT: pairs with the acquire fence in BroadcastReader::still_valid
  }

  /// As far as bytes may be stored.
  [[nodiscard]] std::uint64_t intent() const noexcept { return intent_; }

  /// Where the byte at `position` lies; contiguous for up to `capacity` bytes, thanks to the mirror.
  [[nodiscard]] std::byte* place(std::uint64_t position) const noexcept { return data_ + (position & mask_); }

  /// Makes everything below `position` visible. `sequence` is the newest event below it.
  void commit(std::uint64_t position, std::uint64_t sequence) noexcept {
    LEAT_DCHECK(position != kNoPosition);
    Watermark& slot = header_->latest[++commits_ & 1];
    // A reader that sees `committed == position` finds the pair that says so in one of the two slots. The slot of the
    // previous value is left alone until the commit after next.
    slot.position.store(kNoPosition, std::memory_order_relaxed);
    thread_fence(std::memory_order_release);
    slot.sequence.store(sequence, std::memory_order_relaxed);
    slot.position.store(position, std::memory_order_release);
    header_->committed.store(position, std::memory_order_release);  // SYNC POINT: pairs with BroadcastReader::committed
  }
  static constexpr std::uint64_t kNoPosition = ~0ULL;

  [[nodiscard]] BroadcastHeader& header() const noexcept { return *header_; }

 private:
  BroadcastHeader* header_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint64_t intent_ = 0;
  std::uint64_t commits_ = 0;
};

/// A consistent pair.
struct Place {
  std::uint64_t position = 0;
  std::uint64_t sequence = 0;  ///< newest event below position
};

/// A consumer's end, over a read-only mapping. Stateless apart from constants; one per consumer.
class BroadcastReader {
 public:
  BroadcastReader() = default;
  BroadcastReader(const std::byte* base, std::uint64_t capacity) noexcept
      : header_(reinterpret_cast<const BroadcastHeader*>(base)),
        data_(base + kBroadcastDataOffset),
        capacity_(capacity),
        start_position_(header_->start_position),
        max_record_bytes_(std::min<std::uint64_t>(header_->max_record_bytes, capacity)) {}

  [[nodiscard]] std::uint64_t committed() const noexcept {
    return header_->committed.load(std::memory_order_acquire);  // SYNC POINT: pairs with BroadcastWriter::commit
  }
  [[nodiscard]] std::uint64_t durable() const noexcept { return header_->durable.load(std::memory_order_acquire); }

  /// True if the bytes at `position` have not been overtaken yet. `margin` asks for that many bytes to spare.
  [[nodiscard]] bool in_window(std::uint64_t position, std::uint64_t margin = 0) const noexcept {
    return position >= start_position_ &&
           header_->intent.load(std::memory_order_relaxed) + margin <= position + capacity_;
  }

  /// Copies [position, position + bytes) and says whether the copy is good. Both multiples of 8; the caller has seen
  /// `committed() >= position + bytes`, and bytes <= capacity.
  [[nodiscard]] bool copy(std::uint64_t position, std::size_t bytes, void* to) const noexcept {
    LEAT_DCHECK(position % kWordBytes == 0 && bytes % kWordBytes == 0 && bytes <= capacity_);
    copy_words_out(to, data_ + (position & (capacity_ - 1)), bytes);
    return still_valid(position);
  }

  /// The newest (committed, sequence). Lock-free: retries only while commits pass by. The ring of a broken broker may
  /// hold no pair that matches: then the answer has sequence 0 in the end.
  [[nodiscard]] Place read_latest() const noexcept {
    std::uint64_t position = 0;
    for (int look = 0; look < kMaxLooks; ++look) {
      position = committed();
      for (const Watermark& slot : header_->latest) {
        if (slot.position.load(std::memory_order_acquire) != position) continue;
        const std::uint64_t sequence = slot.sequence.load(std::memory_order_relaxed);
        thread_fence(std::memory_order_acquire);
        if (slot.position.load(std::memory_order_relaxed) == position) return {position, sequence};
      }
      cpu_relax();
    }
    return {position, 0};
  }

  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint64_t max_record_bytes() const noexcept { return max_record_bytes_; }
  [[nodiscard]] const BroadcastHeader& header() const noexcept { return *header_; }

 private:
  [[nodiscard]] bool still_valid(std::uint64_t position) const noexcept {
    fence_acquire();  // SYNC POINT: pairs with the release fence in BroadcastWriter::raise_intent
    return in_window(position);
  }

  static constexpr int kMaxLooks = 1 << 20;  // far more than commits can pass by

  const BroadcastHeader* header_ = nullptr;
  const std::byte* data_ = nullptr;
  std::uint64_t capacity_ = 0;
  std::uint64_t start_position_ = 0;
  std::uint64_t max_record_bytes_ = 0;
};

}  // namespace leat::internal
