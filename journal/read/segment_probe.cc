#include "journal/read/segment_probe.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/words.h"
#include "record/record.h"

namespace leat::internal {

std::optional<MarkBody> ProbedRecord::mark() const noexcept {
  MarkBody body{};
  if (type() != RecordType::mark || payload_bytes != sizeof body) return std::nullopt;
  std::memcpy(&body, payload, sizeof body);
  return body;
}

GapBody ProbedRecord::gap() const noexcept {
  return gap_of(header, {reinterpret_cast<const char*>(payload), std::min<std::size_t>(payload_bytes, sizeof payload)});
}

std::uint64_t ProbedRecord::first_sequence() const noexcept {
  if (type() == RecordType::event) return header.sequence;
  return type() == RecordType::gap ? gap().first_missing : header.sequence + 1;
}

SegmentProbe::SegmentProbe(int fd, std::uint64_t feed_seed, std::uint64_t first_position, std::uint64_t data_offset,
                           std::uint64_t file_bytes)
    : fd_(fd),
      feed_seed_(feed_seed),
      first_position_(first_position),
      data_offset_(data_offset),
      end_position_(first_position +
                    (file_bytes > data_offset ? (file_bytes - data_offset) / kWordBytes * kWordBytes : 0)),
      hash_budget_(kHashBudgetFactor * std::max<std::uint64_t>(file_bytes, kBufferBytes)),
      buffer_(std::min<std::uint64_t>(kBufferBytes, end_position_ - first_position)) {}

// What the disk refuses to give is read page by page, and stands as bytes that no record has.
void SegmentProbe::read(std::uint64_t offset, std::byte* to, std::size_t bytes) {
  const auto read_some = [&](std::size_t done, std::size_t most) {
    ssize_t got = 0;
    do {
      got = ::pread(fd_, to + done, most, static_cast<off_t>(offset + done));
    } while (got < 0 && errno == EINTR);
    return got;
  };
  for (std::size_t done = 0; done < bytes;) {
    ssize_t got = read_some(done, bytes - done);
    if (got < 0) got = read_some(done, std::min(bytes - done, kPageBytes - (offset + done) % kPageBytes));
    if (got > 0) {
      done += static_cast<std::size_t>(got);
      continue;
    }
    const std::size_t lost = std::min(bytes - done, kPageBytes - (offset + done) % kPageBytes);
    std::memset(to + done, 0xff, lost);
    done += lost;
    ++unreadable_;
  }
}

void SegmentProbe::load(std::uint64_t position) {
  buffer_position_ = position;
  buffered_ = static_cast<std::size_t>(std::min<std::uint64_t>(kBufferBytes, end_position_ - position));
  read(data_offset_ + (position - first_position_), buffer_.data(), buffered_);
}

const std::byte* SegmentProbe::view(std::uint64_t position, std::size_t bytes) {
  if (position < first_position_ || position > end_position_ || bytes > end_position_ - position) return nullptr;
  if (position < buffer_position_ || position + bytes > buffer_position_ + buffered_) load(position);
  return buffer_.data() + (position - buffer_position_);
}

bool SegmentProbe::peek(std::uint64_t position, RecordHeader& out) {
  const std::byte* const from = view(position, kRecordHeaderBytes);
  if (from != nullptr) std::memcpy(&out, from, sizeof out);
  return from != nullptr;
}

bool SegmentProbe::candidate(std::uint64_t position, std::uint64_t limit, ProbedRecord& out) {
  limit = std::min(limit, end_position_);
  if (position >= limit || !peek(position, out.header) || out.header.checksum == 0) return false;
  if (!header_is_sane(out.header, limit - position)) return false;
  out.position = position;
  out.bytes = padded_record_bytes(out.header.length);
  out.payload_bytes = out.header.length - bytes_before_payload(out.header);
  return out.bytes <= limit - position;
}

// The record is not given back: only its first payload bytes are kept, so a long one is hashed piece by piece.
bool SegmentProbe::checksum_matches(const ProbedRecord& record) {
  const std::uint64_t length = record.header.length;
  if (record.bytes <= kBufferBytes) {
    return record_checksum(view(record.position, record.bytes), length, feed_seed_, record.position) ==
           record.header.checksum;
  }
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, feed_seed_ ^ record.position);
  for (std::uint64_t done = kWordBytes; done < length;) {
    const std::uint64_t at = record.position + done / kWordBytes * kWordBytes;
    const std::uint64_t bytes = std::min<std::uint64_t>(kBufferBytes, length - done);
    XXH3_64bits_update(&state, view(at, align_up(bytes, kWordBytes)), bytes);
    done += bytes;
  }
  const std::uint64_t sum = XXH3_64bits_digest(&state);
  return (sum != 0 ? sum : 1) == record.header.checksum;
}

SegmentProbe::Found SegmentProbe::at(std::uint64_t position, std::uint64_t limit, ProbedRecord& out) {
  RecordHeader header{};
  if (const std::byte* word = view(position, kWordBytes); word == nullptr) {
    return Found::bad;
  } else {
    std::memcpy(&header.checksum, word, kWordBytes);
  }
  if (header.checksum == 0) return Found::zero;
  if (!candidate(position, limit, out) || !checksum_matches(out)) return Found::bad;
  take_payload(out);
  return Found::record;
}

void SegmentProbe::take_payload(ProbedRecord& out) {
  const std::uint64_t fields = out.header.length - out.payload_bytes;
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.payload_bytes, sizeof out.payload));
  std::memset(out.payload, 0, sizeof out.payload);
  // The field lengths need not be multiples of a word, and the payload of a mark or a gap begins with the fields' end.
  const std::uint64_t begin = out.position + fields / kWordBytes * kWordBytes;
  const std::size_t skip = fields % kWordBytes;
  if (wanted > 0) std::memcpy(out.payload, view(begin, align_up(skip + wanted, kWordBytes)) + skip, wanted);
}

std::uint64_t SegmentProbe::last_written(std::uint64_t from, std::uint64_t limit) {
  std::uint64_t last = from;
  for (std::uint64_t at = from; at + kWordBytes <= std::min(limit, end_position_); at += kWordBytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, view(at, kWordBytes), kWordBytes);
    if (word != 0) last = at + kWordBytes;
  }
  return last;
}

}  // namespace leat::internal
