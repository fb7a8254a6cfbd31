// The directory of a journal, open.
#pragma once

#include <string>
#include <string_view>

namespace leat::internal {

/// Where the files of a journal are looked up, and what they are called in messages. Only borrows the descriptor: who
/// opened it owns it, and keeps it open as long as anybody holds a copy of this. The files are looked up by `fd`, so
/// they are found also after the directory was moved; `path` is what the user has named, and leads elsewhere then.
struct JournalDirectory {
  int fd = -1;
  std::string path;

  /// The name of one of its files in a message.
  [[nodiscard]] std::string file(std::string_view name) const { return path + "/" + std::string(name); }
};

}  // namespace leat::internal
