// The records that the broker makes itself: marks, segment ends, gaps. One builder, for the sequencer and the repair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "record/record.h"

namespace leat::internal {

struct OwnRecord {
  RecordType type = RecordType::mark;
  std::uint16_t flags = 0;
  std::uint64_t sequence = 0;           ///< the newest before it; of a gap, the last that is missing
  std::uint64_t producer_sequence = 0;  ///< of a gap, the first that is missing
  std::int64_t timestamp_ns = 0;
  const void* body = nullptr;
  std::size_t body_bytes = 0;
  std::uint64_t length = kRecordHeaderBytes + body_bytes;  ///< more than that: zeroes behind the body
};

/// Writes the record as it stands at `position`, checksum and all, to `to`: padded_record_bytes(record.length) bytes,
/// which are zeroes.
inline void build_own_record(std::byte* to, const OwnRecord& record, std::uint64_t feed_seed,
                             std::uint64_t position) noexcept {
  LEAT_ASSERT(record.type != RecordType::event);
  LEAT_ASSERT(record.length >= kRecordHeaderBytes && record.body_bytes <= record.length - kRecordHeaderBytes);
  RecordHeader header{};
  header.length = static_cast<std::uint32_t>(record.length);
  header.type = static_cast<std::uint16_t>(record.type);
  header.flags = record.flags;
  header.sequence = record.sequence;
  header.producer_sequence = record.producer_sequence;
  header.timestamp_ns = record.timestamp_ns;
  std::memcpy(to, &header, sizeof header);
  if (record.body_bytes > 0) std::memcpy(to + kRecordHeaderBytes, record.body, record.body_bytes);
  header.checksum = record_checksum(to, record.length, feed_seed, position);
  std::memcpy(to, &header.checksum, sizeof header.checksum);
}

/// The same in bytes of its own, padding included.
std::string make_own_record(const OwnRecord& record, std::uint64_t feed_seed, std::uint64_t position);

}  // namespace leat::internal
