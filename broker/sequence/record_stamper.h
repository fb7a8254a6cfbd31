// Checks an entry's records and fills in what only the sequencer knows: sequence, time, producer, checksum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "broker/ingest/arena_reader.h"
#include "shm/record/topic_memo.h"

namespace leat::broker {

/// What the sequencer gives to an entry.
struct Stamp {
  std::uint64_t position = 0;        ///< of the first record in the journal's string
  std::uint64_t first_sequence = 0;  ///< of the first record; the others follow on
  std::int64_t timestamp_ns = 0;
  std::uint32_t producer_id = 0;
};

/// One thread.
class RecordStamper {
 public:
  RecordStamper(std::uint64_t feed_seed, std::uint64_t max_record_bytes) noexcept
      : feed_seed_(feed_seed), max_record_bytes_(max_record_bytes) {}

  /// `records` is a copy that no producer can reach, so what is checked here is what is journaled; consumers may read
  /// it meanwhile (and throw it away), so it is stored into by whole words. After a refusal its bytes mean nothing.
  shm::Refusal stamp(std::byte* records, const Entry& entry, const Stamp& stamp) noexcept;

 private:
  shm::Refusal check(const shm::RecordHeader& header, const std::byte* record, std::uint64_t left,
                     std::uint16_t flags) noexcept;

  std::uint64_t feed_seed_;
  std::uint64_t max_record_bytes_;
  shm::TopicMemo topics_;
};

}  // namespace leat::broker
