// A small journal that the real broker has written, with everything in it that a journal can hold, to be damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "journal/format/segment_layout.h"
#include "tests/storage/disk.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::test {

struct Specimen {
  Image image;
  std::vector<std::string> payloads;  ///< of all events ever, by sequence - 1
  std::uint64_t first_sequence = 1;   ///< retained
  std::uint64_t last_sequence = 0;
  std::uint64_t proven_sequence = 0;  ///< what the newest mark, or the clean close, proves
  std::uint64_t end_position = 0;
  std::uint64_t feed_seed = 0;
  std::vector<internal::SegmentName> segments;
};

enum class Close : bool { no, cleanly };

/// Events, batches and marks over `segments` retained segments, the older ones recycled, and a named cursor. `events`:
/// how many in all.
Specimen make_specimen(int events, std::uint64_t segments, Close close);

/// The record at `position` of the specimen, or an empty string.
struct PlacedRecord {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;  ///< padded
  std::uint16_t type = 0;
};
/// All records of the journal, in order.
std::vector<PlacedRecord> records_of(const Specimen& specimen);

/// A directory that holds a specimen, to be damaged in one place and repaired again.
class SpecimenJournal {
 public:
  explicit SpecimenJournal(const Specimen& specimen);
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "feed"; }

  void write(const std::string& file, std::uint64_t offset, const std::string& bytes);
  void truncate(const std::string& file, std::uint64_t bytes);
  /// True if the directory is as the damage left it: recovery has changed nothing.
  [[nodiscard]] bool is_untouched() const;
  void repair();

 private:
  const Specimen& specimen_;
  TempDirectory directory_;
  Image damaged_;
};

}  // namespace leat::test
