// The disks that a loss of power at this moment could leave, of a recorded Disk.
#pragma once

#include <cstddef>
#include <random>

#include "tests/storage/disk.h"

namespace leat::test {

/// Valid as long as the disk does not go on. The disk has been observed.
class CrashStates {
 public:
  explicit CrashStates(const Disk& disk);

  /// Nothing, everything, only bytes, only names; each changed sector alone lost and alone kept; each number of changes
  /// of names, in their order.
  [[nodiscard]] std::size_t systematic_count() const;
  [[nodiscard]] Image systematic(std::size_t index) const;
  /// Any subset, in any order, torn at sectors and within them.
  [[nodiscard]] Image random(std::mt19937_64& random) const;

 private:
  struct Dirty {
    ino_t file;
    std::size_t sector;
  };
  template <typename Size, typename Sector>
  [[nodiscard]] std::string bytes_of(const Disk::File& file, ino_t inode, Size&& size, Sector&& sector) const;
  template <typename Keep, typename Size, typename Sector>
  [[nodiscard]] Image build(Keep&& keep, Size&& size, Sector&& sector) const;

  const Disk& disk_;
  std::vector<Dirty> dirty_;
};

}  // namespace leat::test
