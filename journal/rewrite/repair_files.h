// How a repair touches files: copies aside, writes in place, files made anew. Each step durable when it returns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "journal/format/journal_directory.h"

namespace leat::internal {

class RepairFiles {
 public:
  explicit RepairFiles(JournalDirectory directory) : directory_(std::move(directory)) {}

  /// Copies [offset, offset + bytes) of a file to `torn-<tag>-<n>.bin`, n from the bytes: the same bytes, the same
  /// file. What the file does not hold, or the disk does not give, is left out.
  Result<void> keep_aside(const std::string& file, std::uint64_t offset, std::uint64_t bytes, const std::string& tag);
  /// Gives a file that does not belong here a name that nobody reads.
  Result<void> move_aside(const std::string& file, const std::string& tag);
  Result<void> rename(const std::string& from, const std::string& to);
  Result<UniqueFd> open(const std::string& file, int flags);
  /// A new file in place of whatever has that name; the journal's owner's.
  Result<UniqueFd> make(const std::string& file);
  /// Writes all of it, at `offset`.
  Result<void> write(int fd, const std::string& file, std::uint64_t offset, const std::string& bytes);
  /// Writes the first `bytes` of `from`, or all of it if it is shorter, to the file `to`. Where the disk does not give
  /// the bytes of `from`, bytes are written that no record has.
  Result<void> copy(const std::string& from, std::uint64_t bytes, int to_fd, const std::string& to);
  /// Makes the file so long; what is added has room on the disk.
  Result<void> resize(int fd, const std::string& file, std::uint64_t bytes);
  Result<void> sync(int fd, const std::string& file);
  Result<void> sync_directory();

  [[nodiscard]] const JournalDirectory& directory() const noexcept { return directory_; }
  [[nodiscard]] const std::vector<std::string>& kept() const noexcept { return kept_; }

 private:
  /// Copies the range to the begin of the file `to`.
  Result<void> copy_range(int from_fd, std::uint64_t offset, std::uint64_t bytes, int to_fd, const std::string& to);
  [[nodiscard]] Error failed(const std::string& doing, const std::string& file) const;

  JournalDirectory directory_;
  std::vector<std::string> kept_;
};

}  // namespace leat::internal
