#include "history/source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace leat::history {

Result<Source> Source::open(const std::filesystem::path& path, bool followed) {
  Source source;
  source.path_ = source.current_ = path;
  source.followed_ = source.rotated_ = followed;
  source.fd_ = internal::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.fd_.valid()) return system_error(errno, "opening the history " + path.string());
  return source;
}

Source::Read Source::fail(const std::string& what) {
  error_ = {ErrorCode::invalid_argument, current_.string() + ", line " + std::to_string(line_) + ": " + what};
  return Read::error;
}

// True if bytes came.
bool Source::fill() {
  constexpr std::size_t kReadBytes = 256 * 1024;
  buffer_.erase(0, begin_);
  looked_ -= begin_;
  begin_ = 0;
  const std::size_t old = buffer_.size();
  buffer_.resize(old + kReadBytes);
  ssize_t got = 0;
  do {
    got = ::read(fd_.get(), buffer_.data() + old, kReadBytes);
  } while (got < 0 && errno == EINTR);
  if (got < 0) error_ = system_error(errno, "reading " + current_.string());
  buffer_.resize(old + static_cast<std::size_t>(got > 0 ? got : 0));
  return got > 0;
}

bool Source::go_to_next_file() {
  if (!rotated_) return false;
  std::filesystem::path next = path_;
  next += "." + std::to_string(file_ + 1);
  internal::UniqueFd fd(::open(next.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  if (fill()) return true;  // the last of the old file was written between our look at its end and the new file's birth
  ::unlink(current_.c_str());
  ++file_;
  line_ = 0;
  current_ = std::move(next);
  fd_ = std::move(fd);
  return true;
}

Source::Read Source::parse(std::string_view line, Fact& fact) {
  ++line_;
  auto parsed = parse_fact(line);
  if (!parsed) return fail(parsed.error().message);
  if (parsed->at_ns < last_ns_) return fail("its time lies before that of the line above");
  last_ns_ = parsed->at_ns;
  fact = *parsed;
  return Read::fact;
}

// Thousands of processes may come and go in one history: what is no longer needed goes at once.
Source::Read Source::end() {
  if (!ended_) left_over_ = unfinished_bytes();
  ended_ = true;
  buffer_ = std::string();
  begin_ = looked_ = 0;
  fd_.reset();
  return Read::end;
}

Source::Read Source::next(Fact& fact) {
  if (ended_) return Read::end;
  for (;;) {
    if (error_.code != ErrorCode::ok) return Read::error;
    const std::size_t newline = buffer_.find('\n', looked_);
    if (newline != std::string::npos) {
      const std::string_view line(buffer_.data() + begin_, newline - begin_);
      begin_ = looked_ = newline + 1;
      return parse(line, fact);
    }
    looked_ = buffer_.size();
    if (unfinished_bytes() > kMaxLineBytes) {
      ++line_;
      return fail("longer than " + std::to_string(kMaxLineBytes) + " bytes");
    }
    // Asked before the look at the end: who has ended by then has written all.
    const bool followed = followed_;
    if (fill() || error_.code != ErrorCode::ok || go_to_next_file()) continue;
    return followed ? Read::nothing : end();
  }
}

}  // namespace leat::history
