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

#include "base/words.h"
#include "record/feed_uuid.h"
#include "record/headers.h"
#include "record/record_layout.h"

namespace leat::internal {

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

/// Bytes of the record that encodes an event with these field sizes, before padding. `headers`: encoded.
constexpr std::size_t record_length(std::size_t topic, std::size_t key, std::size_t message_id, std::size_t payload,
                                    std::size_t headers = 0) noexcept {
  return kRecordHeaderBytes + topic + key + message_id + headers + payload;
}
/// All fields of a record but its payload, its header included.
constexpr std::size_t bytes_before_payload(const RecordHeader& header) noexcept {
  return record_length(header.topic_length, header.key_length, header.message_id_length, 0,
                       std::size_t{header.headers_units} * kHeadersUnit);
}
/// What few events have: headers, or that the event is a tombstone. The hot paths ask once, and are compiled without
/// the extras: one call more in them costs all events some fifty instructions, for the registers that it may change.
enum class Extras : bool { none, maybe };
inline bool has_extras(const Event& event) noexcept { return event.tombstone || !event.headers.empty(); }

/// Encoded size of an event's headers, which are valid.
template <Extras kExtras = Extras::maybe>
inline std::size_t headers_bytes(const Event& event) noexcept {
  if constexpr (kExtras == Extras::none) return 0;
  else return event.headers.empty() ? 0 : headers_units(event.headers) * kHeadersUnit;
}
/// Room that the record of this event takes, padding included.
template <Extras kExtras = Extras::maybe>
inline std::size_t record_bytes_of(const Event& event) noexcept {
  return padded_record_bytes(record_length(event.topic.size(), event.key.size(), event.message_id.size(),
                                           event.payload.size(), headers_bytes<kExtras>(event)));
}

/// memcpy that knows that most fields are short: 8 to 64 bytes by two or four overlapping moves, without a call.
inline void copy_field(std::byte* to, std::string_view field) noexcept {
  const auto* from = reinterpret_cast<const std::byte*>(field.data());
  const std::size_t bytes = field.size();
  const auto move = [&](auto block, std::size_t at) {
    std::memcpy(&block, from + at, sizeof block);
    std::memcpy(to + at, &block, sizeof block);
  };
  struct Block16 {
    std::uint64_t words[2];
  };
  if (bytes > 64 || bytes < kWordBytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  } else if (bytes <= 2 * kWordBytes) {
    move(std::uint64_t{}, 0);
    move(std::uint64_t{}, bytes - kWordBytes);
  } else {
    move(Block16{}, 0);
    if (bytes > 32) {
      move(Block16{}, 16);
      move(Block16{}, bytes - 32);
    }
    move(Block16{}, bytes - 16);
  }
}

/// Encodes an event at `to` (8-byte aligned, room for the padded record), all but what the sequencer stamps. The
/// payload is left out when `event.payload.data()` is null: the caller fills it in at the returned place. Zeroes the
/// padding. Precondition: field sizes within bounds; no extras with Extras::none. About 50 instructions for small
/// fields.
template <Extras kExtras = Extras::maybe>
inline std::byte* encode_event(std::byte* to, const Event& event, std::size_t payload_bytes,
                               std::uint64_t producer_sequence, std::uint16_t flags) noexcept {
  const std::size_t headers = headers_bytes<kExtras>(event);
  const std::size_t length =
      record_length(event.topic.size(), event.key.size(), event.message_id.size(), payload_bytes, headers);
  if constexpr (kExtras == Extras::maybe) flags |= event.tombstone ? kFlagTombstone : 0;
  const auto put = [&](std::size_t offset, std::uint64_t word) { std::memcpy(to + offset, &word, sizeof word); };
  // The padding lies in the last word; the fields overwrite what of it is not padding.
  put(padded_record_bytes(length) - kWordBytes, 0);
  put(offsetof(RecordHeader, checksum), 0);
  put(offsetof(RecordHeader, length),
      length | static_cast<std::uint64_t>(RecordType::event) << 32 | static_cast<std::uint64_t>(flags) << 48);
  put(offsetof(RecordHeader, sequence), 0);
  put(offsetof(RecordHeader, timestamp_ns), 0);
  put(offsetof(RecordHeader, producer_sequence), producer_sequence);
  put(offsetof(RecordHeader, producer_id), static_cast<std::uint64_t>(event.topic.size()) << 32 |
                                               static_cast<std::uint64_t>(event.key.size()) << 40 |
                                               static_cast<std::uint64_t>(event.message_id.size()) << 48 |
                                               static_cast<std::uint64_t>(headers / kHeadersUnit) << 56);
  std::byte* cursor = to + kRecordHeaderBytes;
  copy_field(cursor, event.topic);
  cursor += event.topic.size();
  if (event.key.size() + event.message_id.size() > 0) {
    copy_field(cursor, event.key);
    copy_field(cursor + event.key.size(), event.message_id);
    cursor += event.key.size() + event.message_id.size();
  }
  if constexpr (kExtras == Extras::maybe) cursor += encode_headers(cursor, event.headers);
  if (event.payload.data() != nullptr) copy_field(cursor, {event.payload.data(), payload_bytes});
  return cursor;
}

/// The header of the record at `from` (8-byte aligned, private bytes), in place.
inline const RecordHeader& header_at(const std::byte* from) noexcept {
  return *reinterpret_cast<const RecordHeader*>(from);
}

/// A decoded record. The views point into the bytes it was decoded from.
struct RecordView {
  const std::byte* bytes;  ///< of the whole record
  RecordHeader header;
  std::string_view topic;
  std::string_view key;
  std::string_view message_id;
  std::string_view headers;  ///< encoded
  std::string_view payload;
};

enum class [[nodiscard]] Decode{
    ok,
    need_more,  ///< the bytes end before the record does; RecordView::header.length may already be read
    malformed,  ///< lengths contradict each other
};

/// The header alone: true if its lengths are consistent and within `max_length`.
inline bool header_is_sane(const RecordHeader& header, std::size_t max_length) noexcept {
  return header.length >= bytes_before_payload(header) && header.length <= max_length;
}

/// Reads the record at `from` (8-byte aligned), of which `available` bytes are there. Checks lengths, not the checksum.
/// `max_length` bounds what a sane record can be. Inlined: it is a good part of what a consumer does.
inline Decode decode_record(const std::byte* from, std::size_t available, std::size_t max_length,
                            RecordView& out) noexcept {
  if (available < kRecordHeaderBytes) {
    out.header.length = 0;
    return Decode::need_more;
  }
  out.bytes = from;
  std::memcpy(&out.header, from, kRecordHeaderBytes);
  if (!header_is_sane(out.header, max_length)) return Decode::malformed;
  if (padded_record_bytes(out.header.length) > available) return Decode::need_more;
  const char* cursor = reinterpret_cast<const char*>(from) + kRecordHeaderBytes;
  out.topic = {cursor, out.header.topic_length};
  out.key = {cursor += out.header.topic_length, out.header.key_length};
  out.message_id = {cursor += out.header.key_length, out.header.message_id_length};
  out.headers = {cursor += out.header.message_id_length, out.header.headers_units * kHeadersUnit};
  cursor += out.headers.size();
  out.payload = {cursor, static_cast<std::size_t>(reinterpret_cast<const char*>(from) + out.header.length - cursor)};
  return Decode::ok;
}

/// What a gap record says: in its payload, or, where there was no room for one, in its header.
inline GapBody gap_of(const RecordHeader& header, std::string_view payload) noexcept {
  GapBody gap{.first_missing = header.producer_sequence, .last_missing = header.sequence};
  if (payload.size() >= sizeof gap) std::memcpy(&gap, payload.data(), sizeof gap);
  return gap;
}

/// Topic rules on raw bytes; see leat::check_topic.
bool topic_is_valid(std::string_view topic) noexcept;

}  // namespace leat::internal
