// A disk under a journal directory, as a loss of power would find it. It follows every call that the broker makes on
// the directory and its files, and every store through a mapping, and keeps apart what a sync has brought to the disk
// and what was only meant to get there.
//
//   a file's bytes   by sectors of 512: what the last sync left, and each later content in turn. Any of them may be on
//                    the disk, for each sector on its own; a sector may also hold two of them, cut at a word
//   a file's size    what the last sync left, or any later one
//   names            what the last sync of the directory left, and each later change in turn. Changes that concern one
//                    file come in order; between files any order goes
//
// The calls are caught by the linker (--wrap, see io_wrap.cc), so the product has no seam for it. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace leat::test {

inline constexpr std::size_t kSectorBytes = 512;

/// Files of a directory by name, with their bytes.
using Image = std::map<std::string, std::string>;

class Disk {
 public:
  /// Takes `directory` as it is for durable, and records from now on. One at a time.
  explicit Disk(std::filesystem::path directory);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk();

  struct File {
    std::string durable;  ///< as the last sync left it
    std::string current;
    std::vector<std::size_t> sizes;                           ///< since then, oldest first
    std::map<std::size_t, std::vector<std::string>> sectors;  ///< the same, by number of the sector
  };
  struct NameChange {
    ino_t file = 0;
    std::string from;  ///< empty: the file is new
    std::string to;    ///< empty: the name is removed
  };

  /// Called before each sync and after each call that has changed something: a moment to lose power at.
  std::function<void()> moment;

  /// Takes in what has been stored through mappings since the last look.
  void observe();

  [[nodiscard]] const std::map<ino_t, File>& files() const { return files_; }
  [[nodiscard]] const std::map<std::string, ino_t>& durable_names() const { return durable_names_; }
  [[nodiscard]] const std::vector<NameChange>& changes() const { return changes_; }
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] std::uint64_t stored_sectors() const { return stored_sectors_; }

  // For io_wrap.cc. `file` and `directory` are inode numbers; what is not of this directory is ignored.
  static Disk* recording() { return recording_; }
  [[nodiscard]] bool is_directory(int fd) const;
  [[nodiscard]] bool holds(int fd) const;
  void before_call();
  void after_call();
  void opened(int fd, const std::string& name);
  void linked(const std::string& from, const std::string& to);
  void renamed(const std::string& from, const std::string& to);
  void unlinked(const std::string& name);
  void before_sync();
  void synced(int fd);

 private:
  void observe(File& file, int fd);
  void take(ino_t inode, int fd, bool durable);
  void forget_unnamed();

  std::filesystem::path directory_;
  ino_t directory_inode_ = 0;
  std::map<ino_t, File> files_;
  std::map<ino_t, int> descriptors_;
  std::map<std::string, ino_t> names_;
  std::map<std::string, ino_t> durable_names_;
  std::vector<NameChange> changes_;
  std::uint64_t calls_ = 0;
  std::uint64_t stored_sectors_ = 0;
  std::string scratch_;
  static Disk* recording_;
};

/// Makes `directory` hold `image` and nothing else.
void materialize(const Image& image, const std::filesystem::path& directory);

}  // namespace leat::test
