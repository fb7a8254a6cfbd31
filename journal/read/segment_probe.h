// Reading a segment file that may be damaged anywhere: what stands at a position, whatever stands before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "journal/read/hash_budget.h"
#include "record/record_layout.h"

namespace leat::internal {

/// A good record, without the bytes that a check has no use for: records may be longer than any buffer here.
struct ProbedRecord {
  RecordHeader header = {};
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;  ///< padded
  std::uint64_t payload_bytes = 0;
  std::byte payload[sizeof(MarkBody)] = {};  ///< the first bytes of it

  [[nodiscard]] RecordType type() const noexcept { return static_cast<RecordType>(header.type); }
  [[nodiscard]] bool more_in_batch() const noexcept {
    return type() == RecordType::event && (header.flags & kFlagMoreInBatch) != 0;
  }
  [[nodiscard]] std::optional<MarkBody> mark() const noexcept;
  [[nodiscard]] GapBody gap() const noexcept;
  /// The first sequence that it takes, and the one that follows it. Equal for what is no event and no gap.
  [[nodiscard]] std::uint64_t first_sequence() const noexcept;
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return header.sequence + 1; }
};

/// Not thread-safe. Holds at most kBufferBytes of the file, however long a record claims to be.
class SegmentProbe {
 public:
  enum class [[nodiscard]] Found : std::uint8_t{
      record,
      zero,  ///< a checksum of zero: nothing was written here
      bad,
  };

  SegmentProbe(int fd, std::uint64_t feed_seed, std::uint64_t first_position, std::uint64_t data_offset,
               std::uint64_t file_bytes);

  /// What stands at `position`; a record must end at `limit` at the latest.
  Found at(std::uint64_t position, std::uint64_t limit, ProbedRecord& out);

  /// The header at `position`, unchecked: a hint about a damaged record.
  bool peek(std::uint64_t position, RecordHeader& out);

  /// The first place from `from` on, `from` included, where a good record stands that `plausible` accepts. It is asked
  /// before the checksum is computed, when the payload is not there yet. `hints` are tried whatever they cost.
  template <typename Plausible>
  std::optional<ProbedRecord> search(std::uint64_t from, std::uint64_t limit, const std::vector<std::uint64_t>& hints,
                                     Plausible plausible);

  /// Position behind the last byte of [from, limit) that is not zero; `from` if all are.
  std::uint64_t last_written(std::uint64_t from, std::uint64_t limit);

  /// Forgets what was read: somebody may have written since.
  void forget() noexcept { buffered_ = 0; }
  /// Pages that the disk would not give; they count as damaged.
  [[nodiscard]] std::uint64_t unreadable_pages() const noexcept { return unreadable_; }

  static constexpr std::size_t kBufferBytes = 1024 * 1024;

 private:
  // So many bytes of long candidates are hashed, then only short ones and those that the index names.
  static constexpr std::uint64_t kShortRecordBytes = 4096;
  static constexpr std::uint64_t kHashBudgetFactor = 256;

  const std::byte* view(std::uint64_t position, std::size_t bytes);
  void load(std::uint64_t position);
  void read(std::uint64_t offset, std::byte* to, std::size_t bytes);
  bool candidate(std::uint64_t position, std::uint64_t limit, ProbedRecord& out);
  bool checksum_matches(const ProbedRecord& record);
  void take_payload(ProbedRecord& out);

  int fd_;
  std::uint64_t feed_seed_;
  std::uint64_t first_position_;
  std::uint64_t data_offset_;
  std::uint64_t end_position_;  // of what the file holds, in whole words
  HashBudget hash_budget_;
  std::uint64_t unreadable_ = 0;
  std::vector<std::byte> buffer_;
  std::uint64_t buffer_position_ = 0;
  std::size_t buffered_ = 0;
};

template <typename Plausible>
std::optional<ProbedRecord> SegmentProbe::search(std::uint64_t from, std::uint64_t limit,
                                                 const std::vector<std::uint64_t>& hints, Plausible plausible) {
  auto hint = hints.begin();
  ProbedRecord record;
  for (std::uint64_t at = from; at + kRecordHeaderBytes <= limit && at < end_position_; at += kRecordAlignment) {
    if (!candidate(at, limit, record) || !plausible(record)) continue;
    while (hint != hints.end() && *hint < at) ++hint;
    const bool named = hint != hints.end() && *hint == at;
    if (record.bytes > kShortRecordBytes && !named && !hash_budget_.spend(record.bytes)) continue;
    if (!checksum_matches(record)) continue;
    take_payload(record);
    return record;
  }
  return std::nullopt;
}

}  // namespace leat::internal
