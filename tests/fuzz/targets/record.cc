// Decoding one record, and a buffer of them: bytes from a ring or a file, as they come.
#include <algorithm>
#include <vector>

#include "journal/read/record_buffer.h"
#include "record/record.h"
#include "tests/fuzz/fuzz_target.h"

namespace leat::fuzz {
namespace {

using namespace internal;

// A copy with exactly as many bytes as there are, so that AddressSanitizer sees a read beyond them.
std::vector<std::uint64_t> exact_words(Bytes bytes) {
  std::vector<std::uint64_t> words(bytes.size() / kWordBytes);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * kWordBytes);
  return words;
}

void check_views(const RecordView& record, const std::byte* from, std::size_t available) {
  const auto* begin = reinterpret_cast<const char*>(from);
  const std::string_view parts[] = {record.topic, record.key, record.message_id, record.headers, record.payload};
  for (const Header& header : HeaderList(record.headers)) {
    LEAT_FUZZ_CHECK(header.value.data() + header.value.size() <= record.payload.data());
  }
  const char* expected = begin + kRecordHeaderBytes;
  for (const std::string_view part : parts) {
    LEAT_FUZZ_CHECK(part.data() == expected);
    expected += part.size();
  }
  LEAT_FUZZ_CHECK(expected == begin + record.header.length);
  LEAT_FUZZ_CHECK(padded_record_bytes(record.header.length) <= available);
}

}  // namespace

LEAT_FUZZ_TARGET(record_decode) {
  Reader reader(input);
  const std::size_t max_length = reader.odd_number();
  const auto words = exact_words(reader.rest());
  const auto* from = reinterpret_cast<const std::byte*>(words.data());
  const std::size_t available = words.size() * kWordBytes;
  RecordView record;
  const Decode decoded = decode_record(from, available, max_length, record);
  if (decoded == Decode::malformed) LEAT_FUZZ_CHECK(!header_is_sane(record.header, max_length));
  if (decoded != Decode::ok) return;
  LEAT_FUZZ_CHECK(record.header.length <= max_length);
  check_views(record, from, available);
  (void)topic_is_valid(record.topic);
}

LEAT_FUZZ_TARGET(record_round_trip) {
  Reader reader(input);
  const auto producer_sequence = reader.take<std::uint64_t>();
  const auto flags = reader.take<std::uint16_t>();
  Event event;
  event.topic = reader.text();
  event.key = reader.text();
  event.message_id = reader.text();
  std::vector<Header> headers = {{.name = reader.text(), .value = reader.text()}};
  if (headers_are_valid(std::span(std::as_const(headers)))) event.headers = headers;
  const Bytes payload = reader.rest();
  event.payload = {reinterpret_cast<const char*>(payload.data()), payload.size()};
  const std::size_t length = record_length(event.topic.size(), event.key.size(), event.message_id.size(),
                                           event.payload.size(), headers_bytes(event));
  std::vector<std::uint64_t> words(padded_record_bytes(length) / kWordBytes, ~0ULL);
  auto* const to = reinterpret_cast<std::byte*>(words.data());
  encode_event(to, event, event.payload.size(), producer_sequence, flags);
  RecordView record;
  LEAT_FUZZ_CHECK(decode_record(to, words.size() * kWordBytes, length, record) == Decode::ok);
  LEAT_FUZZ_CHECK(record.topic == event.topic && record.key == event.key);
  LEAT_FUZZ_CHECK(record.message_id == event.message_id && record.payload == event.payload);
  LEAT_FUZZ_CHECK(headers_are_valid(record.headers));
  if (!event.headers.empty()) {
    LEAT_FUZZ_CHECK(HeaderList(record.headers).find(event.headers[0].name) == event.headers[0].value);
  }
  LEAT_FUZZ_CHECK(record.header.flags == flags && record.header.producer_sequence == producer_sequence);
  for (std::size_t at = length; at < padded_record_bytes(length); ++at) LEAT_FUZZ_CHECK(to[at] == std::byte{0});
  // One byte less is never enough, and a changed bit never passes for the record.
  LEAT_FUZZ_CHECK(decode_record(to, words.size() * kWordBytes - kWordBytes, length, record) == Decode::need_more);
  const std::uint64_t sum = record_checksum(to, length, 7, 64);
  to[kWordBytes + producer_sequence % (length - kWordBytes)] ^= std::byte{1};
  LEAT_FUZZ_CHECK(record_checksum(to, length, 7, 64) != sum);
}

// A buffer filled again and again from one string of bytes, as a reader does, in chunks of any size: it must come to
// the same records as one decoder over the whole string, whatever the string is.
LEAT_FUZZ_TARGET(record_buffer) {
  constexpr std::size_t kMaxRecord = 2048;
  Reader reader(input);
  const bool verify = (reader.byte() & 1) != 0;
  const std::uint64_t seed = 99;
  const std::size_t chunk = align_up(1 + reader.below(512), kWordBytes);
  auto words = exact_words(reader.rest());
  auto* const base = reinterpret_cast<std::byte*>(words.data());
  const std::size_t bytes = words.size() * kWordBytes;
  if (verify) {  // what has a sane header gets a good checksum, or the fuzzer would never come past it
    for (std::size_t at = 0; at + kRecordHeaderBytes <= bytes;) {
      RecordView record;
      if (decode_record(base + at, bytes - at, kMaxRecord, record) != Decode::ok) break;
      if (record.header.checksum % 8 != 0) {
        words[at / kWordBytes] = record_checksum(base + at, record.header.length, seed, at);
      }
      at += padded_record_bytes(record.header.length);
    }
  }
  RecordBuffer buffer(chunk);
  buffer.restart(0);
  std::size_t expected = 0;
  for (std::size_t fills = 0; fills < bytes / kWordBytes + 4;) {
    RecordView record;
    const auto next = buffer.next(record, seed, kMaxRecord);
    if (next == RecordBuffer::Next::record) {
      RecordView same;
      LEAT_FUZZ_CHECK(decode_record(base + expected, bytes - expected, kMaxRecord, same) == Decode::ok);
      LEAT_FUZZ_CHECK(std::memcmp(&same.header, &record.header, sizeof same.header) == 0);
      LEAT_FUZZ_CHECK(same.topic == record.topic && same.payload == record.payload);
      if (verify) {
        LEAT_FUZZ_CHECK(record_checksum(base + expected, same.header.length, seed, expected) == same.header.checksum);
      }
      expected += padded_record_bytes(same.header.length);
      LEAT_FUZZ_CHECK(buffer.position() == expected);
      continue;
    }
    LEAT_FUZZ_CHECK(buffer.position() == expected);
    if (next == RecordBuffer::Next::end) LEAT_FUZZ_CHECK(verify && words[expected / kWordBytes] == 0);
    if (next != RecordBuffer::Next::need_more) return;
    LEAT_FUZZ_CHECK(buffer.wanted_bytes() <= kMaxRecord);
    const std::size_t had = buffer.filled_bytes();
    buffer.ensure_capacity(std::max<std::size_t>(buffer.wanted_bytes(), kRecordHeaderBytes));
    buffer.restart(buffer.position());
    const std::size_t fill = std::min(buffer.capacity(), bytes - expected);
    if (fills > 0 && fill == had && fill == bytes - expected) return;  // the string ends in the middle of a record
    if (fill > 0) std::memcpy(buffer.room(), base + expected, fill);
    buffer.filled(fill, verify);
    ++fills;
  }
}

}  // namespace leat::fuzz
