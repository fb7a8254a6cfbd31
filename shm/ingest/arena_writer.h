// The producer's end of its arena.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "shm/ingest/arena_layout.h"

namespace leat::internal {

/// One more, in a counter that nobody else writes.
inline void bump_own(Atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

/// Hands out room for entries, in order. One thread. Nothing that is written here is visible to anybody until a ticket
/// names it. An entry that got no ticket is simply overwritten by the next entry.
class ArenaWriter {
 public:
  ArenaWriter() = default;
  /// `base` is a mirrored mapping; `capacity` a power of two; `tail` is where the last entry ended (0 for a new arena).
  ArenaWriter(std::byte* base, std::uint64_t capacity, std::uint64_t tail) noexcept
      : header_(reinterpret_cast<ArenaHeader*>(base)),
        data_(base + kArenaDataOffset),
        mask_(capacity - 1),
        tail_(tail),
        touched_(tail),
        limit_(tail + capacity) {
    LEAT_DCHECK(std::has_single_bit(capacity) && tail % kEntryAlignment == 0);
  }

  /// Room for an entry of `record_bytes`, or nullptr when the arena is full. Reads the broker's line only when the
  /// cached view says full.
  [[nodiscard]] std::byte* reserve(std::uint64_t record_bytes) noexcept {
    if (std::byte* const room = reserve_below_limit(record_bytes); room != nullptr) return room;
    // SYNC POINT: pairs with complete()
    limit_ = header_->consumed.load(std::memory_order_acquire) + capacity();
    return reserve_below_limit(record_bytes);
  }
  /// As reserve(), without a look at the broker's line. nullptr also where look_behind() has asked for a look.
  [[nodiscard]] std::byte* reserve_below_limit(std::uint64_t record_bytes) noexcept {
    const std::uint64_t needed = entry_bytes(record_bytes);
    LEAT_DCHECK(tail_ % kEntryAlignment == 0 && touched_ - tail_ <= capacity());
    // Signed: a forged ticket can have an entry consumed that was not published (see unseal). Then `consumed` stands
    // ahead of the tail.
    if (static_cast<std::int64_t>(limit_ - tail_ - needed) < 0) return nullptr;
    if (tail_ + needed > touched_) touched_ = tail_ + needed;
    // Whoever sees a byte of the new entry sees all that was published before. ArenaReader::sealed_again needs that: it
    // may take such a byte for the completion of an entry of the last lap, and then looks at the tail. No instruction
    // on x86-64.
    fence_release();
    std::byte* const room = place(tail_) + kEntryHeaderBytes;
    if (room == nullptr) __builtin_unreachable();  // so that the caller's question is answered by the one above
    return room;
  }

  /// After `bytes` more, reserve_below_limit() gives nullptr, so that its caller looks around before going on.
  void look_behind(std::uint64_t bytes) noexcept {
    if (static_cast<std::int64_t>(limit_ - tail_ - bytes) > 0) limit_ = tail_ + bytes;
  }

  /// Writes the header of the entry that reserve() made room for.
  void seal(std::uint32_t record_bytes, std::uint32_t count, std::uint64_t producer_sequence) noexcept {
    LEAT_DCHECK(touched_ - tail_ >= entry_bytes(record_bytes));  // reserve() has given the room
    auto* entry = reinterpret_cast<EntryHeader*>(place(tail_));
    entry->completion.store(0, std::memory_order_release);  // SYNC POINT: pairs with ArenaReader::sealed_again
    entry->record_bytes = record_bytes;
    entry->count = count;
    entry->producer_sequence = producer_sequence;
    entry->position = tail_;
  }

  /// Takes seal() back: what lies here is no entry any more.
  void unseal() noexcept { reinterpret_cast<EntryHeader*>(place(tail_))->position = ~tail_; }

  /// The entry has its ticket: the next one goes behind it.
  void advance(std::uint64_t record_bytes) noexcept {
    const std::uint64_t bytes = entry_bytes(record_bytes);
    LEAT_DCHECK(touched_ - tail_ >= bytes);
    tail_ += bytes;
    header_->tail.store(tail_, std::memory_order_release);  // SYNC POINT: pairs with ArenaReader::published
    // The lines of the entries to come belong to the sequencer since the last lap. Taking a ticket is a locked
    // instruction, which would wait until each store into those lines has got its line.
    std::byte* const end = place(tail_) + kPrefetchBytes;  // inside the mirror
    std::byte* line = end - (bytes < kPrefetchBytes ? bytes : kPrefetchBytes);
    do prefetch_for_write(line);
    while ((line += kCacheLineBytes) != end);
  }

  /// The completion of the entry at `position`, which must still be held().
  [[nodiscard]] std::uint64_t completion(std::uint64_t position) const noexcept {
    LEAT_DCHECK(position % kEntryAlignment == 0 && held(position));
    // SYNC POINT: pairs with the release store of the sequencer's completion.
    return reinterpret_cast<const EntryHeader*>(place(position))->completion.load(std::memory_order_acquire);
  }
  /// True if the entry at `position` was sealed, its room was freed, and it has no receipt and will get none: a ticket
  /// that another process forged had an earlier entry taken from the same place. `position` must still be held().
  [[nodiscard]] bool passed_over(std::uint64_t position) const noexcept {
    // SYNC POINT: pairs with ArenaReader::release, before which the receipts are stored.
    const std::uint64_t consumed = header_->consumed.load(std::memory_order_acquire);
    return static_cast<std::int64_t>(consumed - position) > 0 &&
           completion_status(completion(position)) == CompletionStatus::pending;
  }
  /// False once the entry's bytes have been written over.
  [[nodiscard]] bool held(std::uint64_t position) const noexcept { return touched_ - position <= capacity(); }

  /// True if the entry at `position` became the event numbered `sequence`, and that event is in the journal no more.
  /// Asked after durable_sequence was read.
  [[nodiscard]] bool lost(std::uint64_t position, std::uint64_t sequence) const noexcept {
    for (const LostEntries& lost : header_->lost) {
      // SYNC POINT: pairs with ArenaReader::lose, which the broker does before it raises durable_sequence.
      const std::uint64_t from = lost.from_sequence.load(std::memory_order_acquire);
      const std::uint64_t below = lost.below_position.load(std::memory_order_relaxed);
      if (from != 0 && sequence >= from && static_cast<std::int64_t>(below - position) > 0) return true;
    }
    return false;
  }

  /// How many events the entry at `position`, which must still be held(), was sealed with.
  [[nodiscard]] std::uint32_t events_at(std::uint64_t position) const noexcept {
    LEAT_DCHECK(position % kEntryAlignment == 0 && held(position));
    return reinterpret_cast<const EntryHeader*>(place(position))->count;
  }

  /// Events in entries that were published and that no broker has answered for. To be asked once the broker is gone.
  [[nodiscard]] std::uint64_t unanswered_events() const noexcept {
    std::uint64_t position = header_->consumed.load(std::memory_order_acquire);
    if (tail_ - position > capacity()) return 0;  // ahead of the tail: see reserve_below_limit
    std::uint64_t events = 0;
    while (position != tail_) {
      const auto* entry = reinterpret_cast<const EntryHeader*>(place(position));
      const std::uint64_t bytes = entry_bytes(entry->record_bytes);
      if (entry->position != position || bytes > tail_ - position) break;
      if (completion_status(completion(position)) == CompletionStatus::pending) events += entry->count;
      position += bytes;
    }
    return events;
  }

  [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return mask_ + 1; }
  [[nodiscard]] ArenaHeader& header() const noexcept { return *header_; }

 private:
  [[nodiscard]] std::byte* place(std::uint64_t position) const noexcept { return data_ + (position & mask_); }

  static constexpr std::uint64_t kPrefetchBytes = 8 * kCacheLineBytes;

  ArenaHeader* header_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t touched_ = 0;  // end of all room ever handed out: an entry without a ticket overwrites old ones too
  std::uint64_t limit_ = 0;    // entries end below it: as far as the broker was seen to have made room, or less
};

}  // namespace leat::internal
