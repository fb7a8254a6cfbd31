#include "support/history_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "history/content_hash.h"
#include "base/clock.h"

namespace leat::test {

using history::Fact;
using history::FactKind;

HistoryWriter::HistoryWriter(std::filesystem::path path, std::string who, std::uint64_t rotate_bytes)
    : path_(std::move(path)), who_(std::move(who)), rotate_bytes_(rotate_bytes) {
  open();
}

HistoryWriter::~HistoryWriter() { ::close(fd_); }

void HistoryWriter::open() {
  std::filesystem::path path = path_;
  if (file_ > 0) path += "." + std::to_string(file_);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::perror(path.c_str());
    std::abort();
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  bytes_ = 0;
}

void HistoryWriter::tell(Fact fact) {
  gather(fact);
  tell_gathered();
}

void HistoryWriter::gather(Fact fact) {
  if (lines_.empty()) last_ns_ = internal::monotonic_ns();
  fact.at_ns = last_ns_;
  fact.who = who_;
  history::append_fact(lines_, fact);
}

void HistoryWriter::tell_gathered() {
  for (std::size_t done = 0; done < lines_.size();) {
    const ssize_t wrote = ::write(fd_, lines_.data() + done, lines_.size() - done);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno != EINTR) {
      std::perror(path_.c_str());
      std::abort();
    }
  }
  bytes_ += lines_.size();
  lines_.clear();
  if (rotate_bytes_ == 0 || bytes_ < rotate_bytes_) return;
  ++file_;
  open();
}

Fact received(const EventView& event) {
  Fact fact{.kind = FactKind::received,
            .hash = history::content_hash(event),
            .sequence = event.sequence,
            .epoch = event.cursor.epoch,
            .from = event.key};
  const char* const begin = event.message_id.data();
  const auto [end, failed] = std::from_chars(begin, begin + event.message_id.size(), fact.number);
  const auto plain = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; };
  const bool good = failed == std::errc{} && end == begin + event.message_id.size() && !event.key.empty() &&
                    std::ranges::all_of(event.key, plain);
  if (!good) fact.from = "nobody";
  return fact;
}

}  // namespace leat::test
