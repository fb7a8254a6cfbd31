// The sequencer's end of an arena: reads what a producer wrote, once, and believes none of it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "record/record_layout.h"
#include "shm/ingest/arena_layout.h"

namespace leat::broker {

/// An entry header, read once into private memory and checked.
struct Entry {
  std::uint64_t position = 0;
  std::uint32_t record_bytes = 0;
  std::uint32_t count = 0;
  std::uint64_t producer_sequence = 0;
  const std::byte* records = nullptr;  ///< in the arena: may change under our eyes; copy first, then check
};

/// One per producer. One thread.
class ArenaReader {
 public:
  ArenaReader() = default;
  /// `base` is a mirrored mapping of the arena, `capacity` a power of two from the registry.
  ArenaReader(std::byte* base, std::uint64_t capacity) noexcept
      : header_(reinterpret_cast<internal::ArenaHeader*>(base)),
        data_(base + internal::kArenaDataOffset),
        capacity_(capacity) {
    LEAT_DCHECK(base != nullptr && std::has_single_bit(capacity));
  }

  /// Loads what lies at `position`, whatever it is. Costs one cache line, which the start of the first record shares.
  [[nodiscard]] Entry load(std::uint64_t position) const noexcept {
    const std::byte* const at = place(position);
    const std::uint64_t sizes = internal::load_word(at + offsetof(internal::EntryHeader, record_bytes));
    return {.position = internal::load_word(at + offsetof(internal::EntryHeader, position)),
            .record_bytes = static_cast<std::uint32_t>(sizes),
            .count = static_cast<std::uint32_t>(sizes >> 32),
            .producer_sequence = internal::load_word(at + offsetof(internal::EntryHeader, producer_sequence)),
            .records = at + internal::kEntryHeaderBytes};
  }
  /// True if what was loaded is an entry of that position.
  [[nodiscard]] bool accepts(const Entry& entry, std::uint64_t position) const noexcept {
    return entry.position == position &&
           entry.count - 1 < internal::kMaxEntryRecords &&  // unsigned: 0 is too many as well
           entry.record_bytes % internal::kRecordAlignment == 0 && entry.record_bytes >= internal::kRecordHeaderBytes &&
           entry.record_bytes <= internal::max_entry_record_bytes(capacity_);
  }
  /// Both. False: what lies there is no entry of that position.
  [[nodiscard]] bool read(std::uint64_t position, Entry& out) const noexcept {
    out = load(position);
    return accepts(out, position);
  }

  /// Asks for the lines of a small entry: the first one to write, as its completion goes there.
  void prefetch(std::uint64_t position) const noexcept {
    std::byte* const at = place(position);
    internal::prefetch_for_write(at);
    internal::prefetch_for_read(at + internal::kCacheLineBytes);
    internal::prefetch_for_read(at + 2 * internal::kCacheLineBytes);
  }

  /// Where the producer is told what became of the entry at `position`: a store(release) of pack_completion().
  /// SYNC POINT: pairs with ArenaWriter::completion.
  [[nodiscard]] internal::Atomic<std::uint64_t>& completion(std::uint64_t position) const noexcept {
    LEAT_DCHECK(position % internal::kEntryAlignment == 0);
    return reinterpret_cast<internal::EntryHeader*>(place(position))->completion;
  }
  /// Gives back the room of all entries below `position`.
  void release(std::uint64_t position) noexcept {
    LEAT_DCHECK(position % internal::kEntryAlignment == 0);
    header_->consumed.store(position, std::memory_order_release);  // SYNC POINT: pairs with ArenaWriter::reserve
  }
  /// For a producer that does not wait for its receipts. An entry that is taken again after a kill is counted once.
  void count_refused(const Entry& entry, internal::Refusal reason) noexcept {
    if (static_cast<std::int64_t>(entry.position - header_->refused_end.load(std::memory_order_relaxed)) < 0) return;
    header_->refused_end.store(entry.position + internal::entry_bytes(entry.record_bytes), std::memory_order_relaxed);
    header_->last_refusal.store(reason, std::memory_order_relaxed);
    header_->refused_events.store(header_->refused_events.load(std::memory_order_relaxed) + entry.count,
                                  std::memory_order_release);
  }
  void revoke() noexcept { header_->state.store(internal::ArenaState::revoked, std::memory_order_release); }

  /// Tells the producer that events with numbers from `from_sequence` on, of entries below `below_position`, are gone.
  void lose(std::uint64_t below_position, std::uint64_t from_sequence) noexcept;

  /// The producer itself says that it has published the entry at `position`, or has destroyed what could say so.
  [[nodiscard]] bool published(std::uint64_t position) const noexcept {
    // SYNC POINT: pairs with ArenaWriter::advance: what lies below was written before.
    return static_cast<std::int64_t>(header_->tail.load(std::memory_order_acquire) - position) > 0 ||
           internal::load_word(&header_->file.magic) != internal::kArenaMagic;
  }
  /// The entry at `position`, once completed, is published and waits to be completed again. False if so much has come
  /// behind it that the producer may be writing over it.
  [[nodiscard]] bool sealed_again(std::uint64_t position) const noexcept {
    // SYNC POINT: pairs with ArenaWriter::seal. Whoever writes this place in the next lap has published more than half
    // an arena behind it before, as no entry is longer than the other half.
    const std::uint64_t now = completion(position).load(std::memory_order_acquire);
    if (internal::completion_status(now) != internal::CompletionStatus::pending) return false;
    Entry entry;
    const bool same = read(position, entry);
    const std::uint64_t behind = published_end() - position;
    return same && behind - 1 < capacity_ / 2;
  }
  /// End of what the producer says it has published.
  [[nodiscard]] std::uint64_t published_end() const noexcept { return header_->tail.load(std::memory_order_acquire); }

  /// True once half of the arena is free again, by the producer's own word: good enough to decide when to wake it.
  [[nodiscard]] bool half_empty(std::uint64_t consumed) const noexcept {
    return header_->tail.load(std::memory_order_relaxed) - consumed <= capacity_ / 2;
  }

  /// Wakes the producer if it waits for any of `reasons`. The caller has put a seq_cst fence behind its stores.
  void wake(std::uint32_t reasons) noexcept;

  [[nodiscard]] internal::ArenaHeader& header() const noexcept { return *header_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

 private:
  [[nodiscard]] std::byte* place(std::uint64_t position) const noexcept { return data_ + (position & (capacity_ - 1)); }

  internal::ArenaHeader* header_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t capacity_ = 0;
};

}  // namespace leat::broker
