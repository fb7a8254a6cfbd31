#include "broker/sequence/record_stamper.h"

#include <cstring>

namespace leat::broker {

using namespace shm;

namespace {

void zero_padding(std::byte* record, std::size_t length, std::size_t padded) noexcept {
  if (padded == length) return;
  std::byte* const last = record + padded - kWordBytes;
  std::uint64_t word = 0;
  std::memcpy(&word, last, sizeof word);
  store_word(last, word & (~0ULL >> (8 * (padded - length))));
}

}  // namespace

inline Refusal RecordStamper::check(const RecordHeader& header, const std::byte* record, std::uint64_t left,
                                    std::uint16_t flags) noexcept {
  if (header.length > max_record_bytes_) return Refusal::too_large;
  if (!header_is_sane(header, max_record_bytes_) || padded_record_bytes(header.length) > left ||
      header.flags != flags || header.reserved != 0 || header.type != static_cast<std::uint16_t>(RecordType::event)) {
    return Refusal::bad_record;
  }
  const std::string_view topic(reinterpret_cast<const char*>(record) + kRecordHeaderBytes, header.topic_length);
  return topics_.valid(topic) ? Refusal::none : Refusal::bad_topic;
}

Refusal RecordStamper::stamp(std::byte* records, const Entry& entry, const Stamp& stamp) noexcept {
  std::uint64_t offset = 0;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const std::uint64_t left = entry.record_bytes - offset;
    if (left < kRecordHeaderBytes) return Refusal::bad_record;
    std::byte* const record = records + offset;
    RecordHeader header;
    std::memcpy(&header, record, sizeof header);
    const Refusal reason = check(header, record, left, i + 1 < entry.count ? kFlagMoreInBatch : 0);
    if (reason != Refusal::none) return reason;
    if (header.producer_sequence != entry.producer_sequence + i) return Refusal::bad_sequence;

    const std::uint64_t padded = padded_record_bytes(header.length);
    zero_padding(record, header.length, padded);
    std::byte* const id_and_lengths = record + offsetof(RecordHeader, producer_id);
    store_word(record + offsetof(RecordHeader, sequence), stamp.first_sequence + i);
    store_word(record + offsetof(RecordHeader, timestamp_ns), static_cast<std::uint64_t>(stamp.timestamp_ns));
    store_word(id_and_lengths, (load_word(id_and_lengths) & ~0xffffffffULL) | stamp.producer_id);
    store_word(record, record_checksum(record, header.length, feed_seed_, stamp.position + offset));
    offset += padded;
  }
  return offset == entry.record_bytes ? Refusal::none : Refusal::bad_record;
}

}  // namespace leat::broker
