// A history file, fact by fact.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <leat/result.h>

#include "history/fact.h"
#include "base/unique_fd.h"

namespace leat::history {

/// Reads one process's history in pieces. A process that was killed while it wrote leaves a line without a newline at
/// the end: that fact was never reported to anybody, and is left out.
class Source {
 public:
  enum class Read : std::uint8_t {
    fact,
    nothing,  ///< nothing more is there now (only while the source is followed)
    end,
    error,  ///< see error()
  };
  static constexpr std::size_t kMaxLineBytes = 64 * 1024;

  /// `followed`: its process still writes, so the end of the file is not the end. A followed history may go on in
  /// <path>.1, <path>.2, ...: each file is removed once the next one is there and it has been read.
  static Result<Source> open(const std::filesystem::path& path, bool followed = false);

  /// The fact's views live until the next call.
  Read next(Fact& fact);
  /// Its process has ended: from now on the end of the file is the end.
  void stop_following() noexcept { followed_ = false; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Bytes of an unfinished last line.
  [[nodiscard]] std::size_t unfinished_bytes() const noexcept { return ended_ ? left_over_ : buffer_.size() - begin_; }

 private:
  Read parse(std::string_view line, Fact& fact);
  Read fail(const std::string& what);
  bool fill();
  bool go_to_next_file();
  Read end();

  std::filesystem::path path_;
  std::filesystem::path current_;
  internal::UniqueFd fd_;
  std::string buffer_;
  std::size_t begin_ = 0;   // of the line to come
  std::size_t looked_ = 0;  // no newline lies before
  std::uint64_t line_ = 0;
  std::uint64_t file_ = 0;
  std::int64_t last_ns_ = 0;
  bool followed_ = false;
  bool rotated_ = false;
  bool ended_ = false;
  std::size_t left_over_ = 0;
  Error error_;
};

}  // namespace leat::history
