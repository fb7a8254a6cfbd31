// Checks an entry's records and fills in what only the sequencer knows: sequence, time, producer, checksum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "broker/rings/arena_reader.h"
#include "record/topic_memo.h"

namespace leat::broker {

/// What the sequencer gives to an entry.
struct Stamp {
  std::uint64_t position = 0;        ///< of the first record in the stream
  std::uint64_t first_sequence = 0;  ///< of the first record; those of the others follow on
  std::int64_t timestamp_ns = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t max_record_bytes = 0;  ///< the largest bound that any broker has given to this producer
};

/// One thread.
class RecordStamper {
 public:
  explicit RecordStamper(std::uint64_t feed_seed) noexcept : feed_seed_(feed_seed) {}

  /// Copies an entry's records to `to`, in the ring, and makes them the sequencer's. Every word of the arena is loaded
  /// once. Words that decide go into a register, and are checked there. All others go into the copy, which no producer
  /// can reach: the topic is checked there, and the checksum is that of the copy. Consumers may read `to` meanwhile and
  /// throw away what they read, so the copy is stored by whole words. After a refusal the bytes at `to` mean nothing.
  /// Cost at 64 bytes of payload: see docs/performance.md; XXH3 is more than half of it.
  internal::Refusal take(std::byte* to, const Entry& entry, const Stamp& stamp) noexcept;

 private:
  std::uint64_t feed_seed_;
  internal::TopicMemo topics_;
};

}  // namespace leat::broker
