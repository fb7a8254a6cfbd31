#include "broker/sequence/record_stamper.h"

#include <cstring>

namespace leat::broker {

using namespace internal;

namespace {

/// How far ahead of the copy the arena's lines are asked for: a large entry's would come one by one otherwise.
constexpr std::uint64_t kPrefetchBytes = 8 * kCacheLineBytes;

/// Word 1 of a record: length, type and flags.
constexpr std::uint64_t type_bits(std::uint16_t flags) noexcept { return static_cast<std::uint64_t>(flags) << 16; }
constexpr std::uint64_t type_and_flags(std::uint16_t flags) noexcept {
  return static_cast<std::uint64_t>(RecordType::event) | type_bits(flags);
}

/// Word 5 of a record: producer id, the lengths of the fields.
struct FieldLengths {
  explicit FieldLengths(std::uint64_t word) noexcept
      : topic(word >> 32 & 0xff),
        key(word >> 40 & 0xff),
        message_id(word >> 48 & 0xff),
        headers((word >> 56) * kHeadersUnit) {}
  [[nodiscard]] std::uint64_t before_payload() const noexcept {
    return kRecordHeaderBytes + topic + key + message_id + headers;
  }
  std::uint64_t topic;
  std::uint64_t key;
  std::uint64_t message_id;
  std::uint64_t headers;
};

void zero_padding(std::byte* record, std::size_t length, std::size_t padded) noexcept {
  if (padded == length) return;
  std::byte* const last = record + padded - kWordBytes;
  store_word(last, load_word(last) & (~0ULL >> (8 * (padded - length))));
}

}  // namespace

Refusal RecordStamper::take(std::byte* to, const Entry& entry, const Stamp& stamp) noexcept {
  std::uint64_t offset = 0;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const std::uint64_t left = entry.record_bytes - offset;
    if (left < kRecordHeaderBytes) return Refusal::bad_record;
    const std::byte* const from = entry.records + offset;
    std::byte* const record = to + offset;
    if (left > 2 * kPrefetchBytes) {
      prefetch_for_read(from + kPrefetchBytes);
      prefetch_for_read(from + kPrefetchBytes + kCacheLineBytes);
    }
    const std::uint64_t sizes = load_word(from + offsetof(RecordHeader, length));
    const std::uint64_t producer_sequence = load_word(from + offsetof(RecordHeader, producer_sequence));
    const std::uint64_t id_and_lengths = load_word(from + offsetof(RecordHeader, producer_id));

    const std::uint64_t length = sizes & 0xffffffff;
    const std::uint64_t padded = padded_record_bytes(length);
    const FieldLengths fields(id_and_lengths);
    if (length > stamp.max_record_bytes) return Refusal::too_large;
    const std::uint64_t tombstone = sizes >> 32 & type_bits(kFlagTombstone);
    if (length < fields.before_payload() || padded > left ||
        sizes >> 32 != (type_and_flags(i + 1 < entry.count ? kFlagMoreInBatch : 0) | tombstone)) {
      return Refusal::bad_record;
    }

    store_word(record + offsetof(RecordHeader, length), sizes);
    store_word(record + offsetof(RecordHeader, sequence), stamp.first_sequence + i);
    store_word(record + offsetof(RecordHeader, timestamp_ns), static_cast<std::uint64_t>(stamp.timestamp_ns));
    store_word(record + offsetof(RecordHeader, producer_sequence), producer_sequence);
    store_word(record + offsetof(RecordHeader, producer_id), (id_and_lengths & ~0xffffffffULL) | stamp.producer_id);
    copy_words_across(record + kRecordHeaderBytes, from + kRecordHeaderBytes, padded - kRecordHeaderBytes);
    zero_padding(record, length, padded);
    if (!topics_.valid({reinterpret_cast<const char*>(record) + kRecordHeaderBytes, fields.topic})) {
      return Refusal::bad_topic;
    }
    if ((tombstone | fields.headers) != 0) [[unlikely]] {
      if (tombstone != 0 && (fields.key == 0 || length != fields.before_payload())) return Refusal::bad_record;
      const char* const headers = reinterpret_cast<const char*>(record) + fields.before_payload() - fields.headers;
      if (!headers_are_valid(std::string_view(headers, fields.headers))) return Refusal::bad_headers;
    }
    if (producer_sequence != entry.producer_sequence + i) return Refusal::bad_sequence;
    store_word(record, record_checksum(record, length, feed_seed_, stamp.position + offset));
    offset += padded;
  }
  return offset == entry.record_bytes ? Refusal::none : Refusal::bad_record;
}

}  // namespace leat::broker
