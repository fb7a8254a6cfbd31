#include "broker/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace leat::broker {

namespace {

constexpr int kAgainMs = 10;  // somebody made standard error non-blocking

// A pipe of that name without a reader is an error, not a wait for one.
Result<internal::UniqueFd> open_file(const std::string& path) {
  internal::UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
  if (!file.valid()) return system_error(errno, "opening the log " + path);
  if (const int flags = ::fcntl(file.get(), F_GETFL); flags >= 0) ::fcntl(file.get(), F_SETFL, flags & ~O_NONBLOCK);
  return file;
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::start(const std::string& path, LossLine loss_line) {
  auto shared = std::make_shared<Shared>();
  shared->path = path;
  shared->loss_line = std::move(loss_line);
  if (!path.empty()) {
    auto file = open_file(path);
    if (!file) return file.error();
    shared->file = std::move(*file);
  }
  try {
    std::thread([shared] { run(*shared); }).detach();
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "starting the thread that writes the log");
  }
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(shared)));
}

LogWriter::~LogWriter() {
  std::unique_lock lock(shared_->mutex);
  shared_->end = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, std::chrono::nanoseconds(kLastWaitNs), [&] { return shared_->ended; });
}

void LogWriter::push(std::string line) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->bytes + line.size() > kMaxBytes) {
    ++shared_->lost;
    shared_->why = "it takes them more slowly than they come";
    return;
  }
  shared_->bytes += line.size();
  ++shared_->pushed;
  shared_->lines.push_back(std::move(line));
  shared_->changed.notify_all();
}

bool LogWriter::flush(std::int64_t timeout_ns) {
  std::unique_lock lock(shared_->mutex);
  const std::uint64_t until = shared_->pushed;
  return shared_->changed.wait_for(lock, std::chrono::nanoseconds(timeout_ns),
                                   [&] { return shared_->written >= until; });
}

void LogWriter::reopen() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->path.empty()) return;
  shared_->reopen = true;
  shared_->reopen_after = shared_->pushed;
  shared_->changed.notify_all();
}

std::uint64_t LogWriter::lost() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->lost;
}

void LogWriter::run(Shared& shared) {
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.changed.wait(lock, [&] { return !shared.lines.empty() || shared.reopen || shared.end; });
    if (shared.reopen && shared.written >= shared.reopen_after) {
      shared.reopen = false;
      open_anew(shared, lock);
    } else if (!shared.lines.empty()) {
      const std::string line = std::move(shared.lines.front());
      shared.lines.pop_front();
      write_line(shared, line, lock);
      shared.bytes -= line.size();
      ++shared.written;
      // The loss is reported only once what waited is written: of a full queue the log says so when it is empty.
      if (shared.lines.empty() && shared.lost > shared.lost_reported) {
        const std::uint64_t reported = shared.lost;
        const std::uint64_t before = shared.lost;
        write_line(shared, shared.loss_line(reported - shared.lost_reported, shared.why), lock);
        if (shared.lost == before) shared.lost_reported = reported;  // else that line is lost too
      }
      shared.changed.notify_all();
    } else {
      break;
    }
  }
  shared.ended = true;
  shared.changed.notify_all();
}

// Without the lock while it writes. Called with it, returns with it.
void LogWriter::write_line(Shared& shared, const std::string& line, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const int fd = shared.file.valid() ? shared.file.get() : STDERR_FILENO;
  const std::string text = shared.mid_line ? "\n" + line : line;
  std::size_t done = 0;
  int failed = 0;
  while (done < text.size() && failed == 0) {
    const ssize_t put = ::write(fd, text.data() + done, text.size() - done);
    if (put > 0) done += static_cast<std::size_t>(put);
    if (put > 0 || (put < 0 && errno == EINTR)) continue;
    if (put < 0 && errno == EAGAIN) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kAgainMs));
      continue;
    }
    failed = put == 0 ? ENOSPC : errno;
  }
  if (done > 0) shared.mid_line = text[done - 1] != '\n';
  lock.lock();
  if (failed == 0) return;
  ++shared.lost;
  shared.why = std::strerror(failed);
}

void LogWriter::open_anew(Shared& shared, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto file = open_file(shared.path);
  lock.lock();
  if (!file) {
    const std::string line = "leatd: " + file.error().message + "; the log goes on in the old file\n";
    write_line(shared, line, lock);
    return;
  }
  shared.file = std::move(*file);
  shared.mid_line = false;
}

}  // namespace leat::broker
