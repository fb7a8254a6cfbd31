#include "broker/sequence/record_stamper.h"

#include <cstring>

namespace leat::broker {

using namespace internal;

namespace {

/// How far ahead of the copy the arena's lines are asked for: a large entry's would come one by one otherwise.
constexpr std::uint64_t kPrefetchBytes = 8 * kCacheLineBytes;

/// Words 1, 4 and 5 of a record, loaded once: those that decide.
struct Deciding {
  explicit Deciding(const std::byte* from) noexcept
      : sizes(load_word(from + offsetof(RecordHeader, length))),
        producer_sequence(load_word(from + offsetof(RecordHeader, producer_sequence))),
        id_and_lengths(load_word(from + offsetof(RecordHeader, producer_id))) {}
  [[nodiscard]] std::uint64_t length() const noexcept { return sizes & 0xffffffff; }
  [[nodiscard]] std::uint64_t type_and_flags() const noexcept { return sizes >> 32; }
  [[nodiscard]] std::uint64_t topic() const noexcept { return id_and_lengths >> 32 & 0xff; }
  [[nodiscard]] std::uint64_t key() const noexcept { return id_and_lengths >> 40 & 0xff; }
  [[nodiscard]] std::uint64_t message_id() const noexcept { return id_and_lengths >> 48 & 0xff; }
  [[nodiscard]] std::uint64_t headers_units() const noexcept { return id_and_lengths >> 56; }
  [[nodiscard]] std::uint64_t before_headers() const noexcept {
    return kRecordHeaderBytes + topic() + key() + message_id();
  }
  std::uint64_t sizes;
  std::uint64_t producer_sequence;
  std::uint64_t id_and_lengths;
};

constexpr std::uint64_t type_and_flags(std::uint16_t flags) noexcept {
  return static_cast<std::uint64_t>(RecordType::event) | static_cast<std::uint64_t>(flags) << 16;
}
/// What the words must be of an event without extras.
constexpr std::uint64_t plain(bool more_in_batch) noexcept {
  return type_and_flags(more_in_batch ? kFlagMoreInBatch : 0);
}

void zero_padding(std::byte* record, std::size_t length, std::size_t padded) noexcept {
  if (padded == length) return;
  std::byte* const last = record + padded - kWordBytes;
  store_word(last, load_word(last) & (~0ULL >> (8 * (padded - length))));
}

/// Copies the record to where it is stamped, and stamps all but its checksum.
inline void stamp_copy(std::byte* record, const std::byte* from, const Deciding& words, const Stamp& stamp,
                       std::uint64_t sequence) noexcept {
  const std::uint64_t padded = padded_record_bytes(words.length());
  store_word(record + offsetof(RecordHeader, length), words.sizes);
  store_word(record + offsetof(RecordHeader, sequence), sequence);
  store_word(record + offsetof(RecordHeader, timestamp_ns), static_cast<std::uint64_t>(stamp.timestamp_ns));
  store_word(record + offsetof(RecordHeader, producer_sequence), words.producer_sequence);
  store_word(record + offsetof(RecordHeader, producer_id), (words.id_and_lengths & ~0xffffffffULL) | stamp.producer_id);
  copy_words_across(record + kRecordHeaderBytes, from + kRecordHeaderBytes, padded - kRecordHeaderBytes);
  zero_padding(record, words.length(), padded);
}

/// A record of `left` bytes at most that is not that of a plain event: what is wrong with it, or with its extras, of
/// which the copy is made here.
[[gnu::noinline, gnu::cold]] Refusal take_extras(std::byte* record, const std::byte* from, const Deciding& words,
                                                 const Stamp& stamp, std::uint64_t sequence, std::uint64_t left,
                                                 bool more_in_batch) noexcept {
  const std::uint64_t tombstone = type_and_flags(kFlagTombstone) ^ type_and_flags(0);
  const bool is_tombstone = (words.type_and_flags() & tombstone) != 0;
  const std::uint64_t headers = words.headers_units() * kHeadersUnit;
  if (words.length() < words.before_headers() + headers || padded_record_bytes(words.length()) > left ||
      (words.type_and_flags() & ~tombstone) != plain(more_in_batch)) {
    return Refusal::bad_record;
  }
  if (is_tombstone && (words.key() == 0 || words.length() != words.before_headers() + headers)) {
    return Refusal::bad_record;
  }
  stamp_copy(record, from, words, stamp, sequence);
  const char* const copied = reinterpret_cast<const char*>(record) + words.before_headers();
  return headers_are_valid(std::string_view(copied, headers)) ? Refusal::none : Refusal::bad_headers;
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
    const Deciding words(from);
    const std::uint64_t length = words.length();
    const std::uint64_t padded = padded_record_bytes(length);
    const bool more_in_batch = i + 1 < entry.count;
    if (length > stamp.max_record_bytes) return Refusal::too_large;
    if (length < words.before_headers() || padded > left || words.headers_units() != 0 ||
        words.type_and_flags() != plain(more_in_batch)) [[unlikely]] {
      const Refusal reason = take_extras(record, from, words, stamp, stamp.first_sequence + i, left, more_in_batch);
      if (reason != Refusal::none) return reason;
    } else {
      stamp_copy(record, from, words, stamp, stamp.first_sequence + i);
    }
    if (!topics_.valid({reinterpret_cast<const char*>(record) + kRecordHeaderBytes, words.topic()})) {
      return Refusal::bad_topic;
    }
    if (words.producer_sequence != entry.producer_sequence + i) return Refusal::bad_sequence;
    store_word(record, record_checksum(record, length, feed_seed_, stamp.position + offset));
    offset += padded;
  }
  return offset == entry.record_bytes ? Refusal::none : Refusal::bad_record;
}

}  // namespace leat::broker
