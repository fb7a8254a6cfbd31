// Opens a damaged journal as reader and as recovery, and says which promise is broken.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include <leat/journal.h>

#include "tests/storage/specimen.h"

namespace leat::test {

struct Outcomes {
  std::uint64_t cases = 0;
  std::uint64_t intact = 0;       ///< reader and recovery found all
  std::uint64_t cut = 0;          ///< recovery went on; what nothing proved, or an older segment, is damaged
  std::uint64_t reader_told = 0;  ///< the reader named the place
  std::uint64_t recovery_refused = 0;
  std::uint64_t failures = 0;

  void print(const char* what) const;
};

/// What one reader found.
struct Found {
  bool opened = false;
  bool told = false;  ///< an error
  std::string message;
  std::uint64_t last = 0;  ///< the newest event that it gave
  std::string broken;      ///< a promise
};

class Examiner {
 public:
  Examiner(const Specimen& specimen, Outcomes& outcomes);

  [[nodiscard]] SpecimenJournal& journal() { return journal_; }
  /// `file` is damaged; messages must name it. Fails the test if a promise is broken, then repairs the journal.
  void examine(const std::string& file, const std::string& what);
  /// The same for bytes that somebody has made to pass their checksums: nothing crashes, nothing hangs.
  void survive();

 private:
  std::string judge(const std::string& file);
  Found read(const Start& start, std::uint64_t first) const;
  std::string check_reading(const Found& found, const std::string& file, bool whole) const;
  std::string check_recovery(const Found& whole, const std::string& file);
  std::string check_cursors(int fd, const internal::FeedUuid& uuid, const std::string& file) const;

  const Specimen& specimen_;
  SpecimenJournal journal_;
  Outcomes& outcomes_;
  std::mt19937_64 random_;
};

}  // namespace leat::test
