// From a record's bytes to what a reader is handed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <leat/event.h>

#include "record/record.h"

namespace leat::client {

// Two flags of the record are the two bytes of two bools: one store for both.
static_assert(std::is_standard_layout_v<EventView> && sizeof(bool) == 1);
static_assert(offsetof(EventView, tombstone) == offsetof(EventView, more_in_batch) + 1);
static_assert(internal::kFlagMoreInBatch == 1 && internal::kFlagTombstone == 1 << 8);

/// Fills in an EventView from a decoded record.
/// `record`: whole and sane, as RecordBuffer leaves it.
inline void fill_event(EventView& out, const std::byte* record, std::uint64_t epoch) noexcept {
  const internal::RecordHeader& header = internal::header_at(record);
  // All that is needed of it is read first: nothing stored into `out` can change it, which the compiler cannot know.
  const std::size_t length = header.length;
  const std::size_t topic = header.topic_length;
  const std::size_t key = header.key_length;
  const std::size_t message_id = header.message_id_length;
  const std::size_t headers = std::size_t{header.headers_units} * internal::kHeadersUnit;
  const std::uint64_t sequence = header.sequence;
  const std::int64_t timestamp_ns = header.timestamp_ns;
  const std::uint64_t producer_sequence = header.producer_sequence;
  const std::uint32_t producer_id = header.producer_id;
  const std::uint16_t bits = header.flags & (internal::kFlagMoreInBatch | internal::kFlagTombstone);
  const char* const fields = reinterpret_cast<const char*>(record) + internal::kRecordHeaderBytes;
  const std::size_t before_headers = topic + key + message_id;
  const std::size_t before_payload = before_headers + headers;
  out.sequence = sequence;
  out.timestamp_ns = timestamp_ns;
  out.producer_sequence = producer_sequence;
  out.producer_id = producer_id;
  std::memcpy(reinterpret_cast<char*>(&out) + offsetof(EventView, more_in_batch), &bits, sizeof bits);
  out.topic = {fields, topic};
  out.key = {fields + topic, key};
  out.message_id = {fields + topic + key, message_id};
  out.payload = {fields + before_payload, length - internal::kRecordHeaderBytes - before_payload};
  out.headers = HeaderList({fields + before_headers, headers});
  out.cursor = {.epoch = epoch, .sequence = sequence};
}

}  // namespace leat::client
