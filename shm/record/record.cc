#include "shm/record/record.h"

#include <cstring>

namespace leat::shm {

std::uint64_t checksum_bytes(const void* bytes, std::size_t count, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes, count, seed);
}

std::uint64_t feed_checksum_seed(const FeedUuid& uuid) noexcept { return checksum_bytes(uuid.data(), uuid.size(), 0); }

namespace {

std::byte* append(std::byte* to, std::string_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

std::byte* encode_event(std::byte* to, const Event& event, std::size_t payload_bytes, std::uint64_t producer_sequence,
                        std::uint16_t flags) noexcept {
  const std::size_t length =
      record_length(event.topic.size(), event.key.size(), event.message_id.size(), payload_bytes);
  // The padding lies in the last word; the fields overwrite what of it is not padding.
  std::memset(to + padded_record_bytes(length) - kWordBytes, 0, kWordBytes);
  const RecordHeader header{.checksum = 0,
                            .length = static_cast<std::uint32_t>(length),
                            .type = static_cast<std::uint16_t>(RecordType::event),
                            .flags = flags,
                            .sequence = 0,
                            .timestamp_ns = 0,
                            .producer_sequence = producer_sequence,
                            .producer_id = 0,
                            .topic_length = static_cast<std::uint8_t>(event.topic.size()),
                            .key_length = static_cast<std::uint8_t>(event.key.size()),
                            .message_id_length = static_cast<std::uint8_t>(event.message_id.size()),
                            .reserved = 0};
  std::memcpy(to, &header, sizeof header);
  std::byte* cursor = append(to + kRecordHeaderBytes, event.topic);
  cursor = append(cursor, event.key);
  cursor = append(cursor, event.message_id);
  if (event.payload.data() != nullptr && payload_bytes > 0) std::memcpy(cursor, event.payload.data(), payload_bytes);
  return cursor;
}

}  // namespace leat::shm
