// Encoding, checking and decoding of records. No function here keeps state; all are thread-safe on distinct bytes.
#pragma once

// Inlined: the sequencer and every journal reader spend a good part of their time in it.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <leat/event.h>

#include "shm/base/shared_file.h"
#include "shm/record/record_layout.h"

namespace leat::shm {

/// Half of a record's checksum seed; the other half is its position.
std::uint64_t feed_checksum_seed(const FeedUuid& uuid) noexcept;

/// The checksum that a record of `length` bytes at `position` must carry in its first word. Never 0.
/// Algorithm: XXH3-64 (Collet, xxHash 0.8), seeded.
inline std::uint64_t record_checksum(const void* record, std::size_t length, std::uint64_t feed_seed,
                                     std::uint64_t position) noexcept {
  const auto* bytes = static_cast<const std::byte*>(record);
  const std::uint64_t sum = XXH3_64bits_withSeed(bytes + kWordBytes, length - kWordBytes, feed_seed ^ position);
  return sum != 0 ? sum : 1;
}

/// XXH3-64 of arbitrary bytes, for headers and index entries.
std::uint64_t checksum_bytes(const void* bytes, std::size_t count, std::uint64_t seed) noexcept;

/// Bytes of the record that encodes an event with these field sizes, before padding.
constexpr std::size_t record_length(std::size_t topic, std::size_t key, std::size_t message_id,
                                    std::size_t payload) noexcept {
  return kRecordHeaderBytes + topic + key + message_id + payload;
}

/// Encodes an event at `to` (8-byte aligned, room for the padded record), all but what the sequencer stamps. The payload
/// is left out when `event.payload.data()` is null: the caller fills it in at the returned place. Zeroes the padding.
/// Precondition: field sizes within bounds.
std::byte* encode_event(std::byte* to, const Event& event, std::size_t payload_bytes, std::uint64_t producer_sequence,
                        std::uint16_t flags) noexcept;

/// A decoded record. The views point into the bytes it was decoded from.
struct RecordView {
  RecordHeader header;
  std::string_view topic;
  std::string_view key;
  std::string_view message_id;
  std::string_view payload;
};

enum class [[nodiscard]] Decode {
  ok,
  need_more,  ///< the bytes end before the record does; RecordView::header.length may already be read
  malformed,  ///< lengths contradict each other
};

/// The header alone: true if its lengths are consistent and within `max_length`.
inline bool header_is_sane(const RecordHeader& header, std::size_t max_length) noexcept {
  const std::size_t fields = kRecordHeaderBytes + header.topic_length + header.key_length + header.message_id_length;
  return header.length >= fields && header.length <= max_length;
}

/// Reads the record at `from` (8-byte aligned), of which `available` bytes are there. Checks lengths, not the checksum.
/// `max_length` bounds what a sane record can be. Inlined: it is a good part of what a consumer does.
inline Decode decode_record(const std::byte* from, std::size_t available, std::size_t max_length,
                            RecordView& out) noexcept {
  if (available < kRecordHeaderBytes) {
    out.header.length = 0;
    return Decode::need_more;
  }
  std::memcpy(&out.header, from, kRecordHeaderBytes);
  if (!header_is_sane(out.header, max_length)) return Decode::malformed;
  if (padded_record_bytes(out.header.length) > available) return Decode::need_more;
  const char* cursor = reinterpret_cast<const char*>(from) + kRecordHeaderBytes;
  out.topic = {cursor, out.header.topic_length};
  out.key = {cursor += out.header.topic_length, out.header.key_length};
  out.message_id = {cursor += out.header.key_length, out.header.message_id_length};
  cursor += out.header.message_id_length;
  out.payload = {cursor, static_cast<std::size_t>(reinterpret_cast<const char*>(from) + out.header.length - cursor)};
  return Decode::ok;
}

/// Topic rules on raw bytes; see leat::check_topic.
bool topic_is_valid(std::string_view topic) noexcept;

}  // namespace leat::shm
