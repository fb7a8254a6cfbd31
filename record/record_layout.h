// The record: the one format of an event's bytes, in the arena, in the broadcast ring and in the journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/words.h"

namespace leat::internal {

enum class RecordType : std::uint16_t {
  event = 1,
  mark = 2,         ///< how far the journal is durable; carries MarkBody as payload
  segment_end = 3,  ///< the string goes on in the next segment at the position behind this record
  gap = 4,          ///< a repair left out events here; carries GapBody as payload
};

enum RecordFlags : std::uint16_t {
  kFlagMoreInBatch = 1 << 0,  ///< the next event belongs to the same ticket; a batch is visible whole or not at all
  kFlagCleanClose = 1 << 1,   ///< on a mark: the broker closed the journal here
  kFlagTombstone = 1 << 8,    ///< on an event with a key and without payload: what the key names is gone
};

// Little-endian, 8-byte aligned; `length` bytes, padded with zeros to a multiple of 8.
// "Written by" is of events; all of a mark, a segment_end or a gap is the broker's.
//
//   off size field               written by    meaning
//     0    8 checksum            sequencer     XXH3-64 over [8, length), seed = feed seed ^ position; never 0: a zero
//                                              here is the end of what has been written
//     8    4 length              producer      whole record before padding
//    12    2 type                producer      RecordType
//    14    2 flags               producer      RecordFlags
//    16    8 sequence            sequencer     of the event; other types: of the newest event before them
//    24    8 timestamp_ns        sequencer     CLOCK_REALTIME; less than before only where it was set back by over 3 h
//    32    8 producer_sequence   producer      1-based, contiguous per producer
//    40    4 producer_id         sequencer
//    44    1 topic_length        producer
//    45    1 key_length          producer
//    46    1 message_id_length   producer
//    47    1 headers_units       producer      how many kHeadersUnit bytes the headers take
//    48      topic, key, message id, headers (record/headers.h), payload
//
// may_alias: it is read in place, in buffers that are made of words.
struct [[gnu::may_alias]] RecordHeader {
  std::uint64_t checksum;
  std::uint32_t length;
  std::uint16_t type;
  std::uint16_t flags;
  std::uint64_t sequence;
  std::int64_t timestamp_ns;
  std::uint64_t producer_sequence;
  std::uint32_t producer_id;
  std::uint8_t topic_length;
  std::uint8_t key_length;
  std::uint8_t message_id_length;
  std::uint8_t headers_units;
};
inline constexpr std::size_t kRecordHeaderBytes = 48;
inline constexpr std::size_t kRecordAlignment = 8;
static_assert(sizeof(RecordHeader) == kRecordHeaderBytes && std::is_trivially_copyable_v<RecordHeader>);
static_assert(offsetof(RecordHeader, length) == 8 && offsetof(RecordHeader, type) == 12);
static_assert(offsetof(RecordHeader, flags) == 14 && offsetof(RecordHeader, sequence) == 16);
static_assert(offsetof(RecordHeader, timestamp_ns) == 24 && offsetof(RecordHeader, producer_sequence) == 32);
static_assert(offsetof(RecordHeader, producer_id) == 40 && offsetof(RecordHeader, topic_length) == 44);
static_assert(offsetof(RecordHeader, key_length) == 45 && offsetof(RecordHeader, message_id_length) == 46 &&
              offsetof(RecordHeader, headers_units) == 47);

// Payload of a mark (one whose payload has another size proves nothing: a repair fills holes with such):
//   0 8 durable_position   everything below is on disk
//   8 8 durable_sequence   newest event below it
//  16 4 next_producer_id   no producer of this feed has had this id or a higher one
//  20 4 reserved           0
struct MarkBody {
  std::uint64_t durable_position;
  std::uint64_t durable_sequence;
  std::uint32_t next_producer_id;
  std::uint32_t reserved;
};
static_assert(sizeof(MarkBody) == 24 && std::is_trivially_copyable_v<MarkBody>);

// Payload of a gap: the first and the last sequence that are missing; then zeros, as many as fill the hole. A gap takes
// the place of what was there, which may be 48 bytes: so its header says the same, `producer_sequence` the first and
// `sequence` the last, and the payload may be left out.
struct GapBody {
  std::uint64_t first_missing;
  std::uint64_t last_missing;
};
static_assert(sizeof(GapBody) == 16 && std::is_trivially_copyable_v<GapBody>);

/// Headers are padded to a multiple of it.
inline constexpr std::size_t kHeadersUnit = 32;

inline constexpr std::size_t kMarkRecordBytes = kRecordHeaderBytes + sizeof(MarkBody);
inline constexpr std::size_t kGapRecordBytes = kRecordHeaderBytes + sizeof(GapBody);
inline constexpr std::size_t kSegmentEndRecordBytes = kRecordHeaderBytes;
inline constexpr std::size_t kMaxTopicBytes = 255;
inline constexpr std::size_t kMaxKeyBytes = 255;
inline constexpr std::size_t kMaxMessageIdBytes = 255;

/// Room a record of `length` bytes takes.
constexpr std::size_t padded_record_bytes(std::size_t length) noexcept { return align_up(length, kRecordAlignment); }

}  // namespace leat::internal
