#include "journal/rewrite/repair_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/make_file.h"
#include "base/whole_io.h"
#include "base/words.h"
#include "record/record.h"

namespace leat::internal {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;

// Hands over what can be read of the range, in pieces; pages that the disk refuses to give come as bytes of 0xff.
Result<void> for_each_chunk(int fd, std::uint64_t offset, std::uint64_t bytes,
                            const std::function<Result<void>(const char*, std::size_t)>& take) {
  std::string chunk(kChunkBytes, '\0');
  for (std::uint64_t done = 0; done < bytes;) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, bytes - done));
    ssize_t got = ::pread(fd, chunk.data(), most, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const std::size_t page = std::min<std::size_t>(most, kPageBytes - (offset + done) % kPageBytes);
      got = ::pread(fd, chunk.data(), page, static_cast<off_t>(offset + done));
      if (got < 0) {
        std::fill_n(chunk.begin(), page, '\xff');
        got = static_cast<ssize_t>(page);
      }
    }
    if (got == 0) return {};
    if (auto taken = take(chunk.data(), static_cast<std::size_t>(got)); !taken) return taken;
    done += static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace

Error RepairFiles::failed(const std::string& doing, const std::string& file) const {
  return system_error(errno, doing + " " + directory_.file(file));
}

Result<UniqueFd> RepairFiles::open(const std::string& file, int flags) {
  UniqueFd fd(::openat(directory_.fd, file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return failed("opening", file);
  return fd;
}

Result<UniqueFd> RepairFiles::make(const std::string& file) {
  return make_file(directory_.fd, directory_.path, file, O_RDWR, Existing::replace);
}

Result<void> RepairFiles::write(int fd, const std::string& file, std::uint64_t offset, const std::string& bytes) {
  if (!write_at(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset))) return failed("writing", file);
  return {};
}

Result<void> RepairFiles::copy_range(int from_fd, std::uint64_t offset, std::uint64_t bytes, int to_fd,
                                     const std::string& to) {
  std::uint64_t at = 0;
  return for_each_chunk(from_fd, offset, bytes, [&](const char* chunk, std::size_t count) -> Result<void> {
    auto wrote = write(to_fd, to, at, std::string(chunk, count));
    at += count;
    return wrote;
  });
}

Result<void> RepairFiles::copy(const std::string& from, std::uint64_t bytes, int to_fd, const std::string& to) {
  auto source = open(from, O_RDONLY);
  return source ? copy_range(source->get(), 0, bytes, to_fd, to) : source.error();
}

Result<void> RepairFiles::resize(int fd, const std::string& file, std::uint64_t bytes) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failed("fstat of", file);
  const auto now = static_cast<std::uint64_t>(status.st_size);
  if (now > bytes && ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return failed("cutting", file);
  if (now >= bytes) return {};
  // Room on the disk, not a promise of it: a broker may append here through a mapping.
  errno = ::posix_fallocate(fd, static_cast<off_t>(now), static_cast<off_t>(bytes - now));
  return errno == 0 ? Result<void>{} : failed("allocating", file);
}

Result<void> RepairFiles::sync(int fd, const std::string& file) {
  return sync_all(fd) == 0 ? Result<void>{} : failed("syncing", file);
}

Result<void> RepairFiles::sync_directory() {
  if (sync_all(directory_.fd) != 0) return system_error(errno, "syncing directory " + directory_.path);
  return {};
}

namespace {
Result<std::uint64_t> sum_of(int fd, std::uint64_t offset, std::uint64_t bytes) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset(&state);
  auto done = for_each_chunk(fd, offset, bytes, [&](const char* chunk, std::size_t count) -> Result<void> {
    XXH3_64bits_update(&state, chunk, count);
    return {};
  });
  if (!done) return done.error();
  return static_cast<std::uint64_t>(XXH3_64bits_digest(&state));
}
}  // namespace

Result<void> RepairFiles::keep_aside(const std::string& file, std::uint64_t offset, std::uint64_t bytes,
                                     const std::string& tag) {
  auto source = open(file, O_RDONLY);
  if (!source) return source.error();
  auto sum = sum_of(source->get(), offset, bytes);
  if (!sum) return sum.error();
  const std::string name = "torn-" + tag + "-" + std::to_string(*sum) + ".bin";
  struct stat status {};
  if (::fstatat(directory_.fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return failed("looking at", name);
    const std::string unfinished = name + ".new";
    auto copy = make(unfinished);
    if (!copy) return copy.error();
    auto kept = copy_range(source->get(), offset, bytes, copy->get(), unfinished);
    if (kept) kept = sync(copy->get(), unfinished);
    if (kept) kept = rename(unfinished, name);
    if (!kept) {
      ::unlinkat(directory_.fd, unfinished.c_str(), 0);  // half a copy is of no use, and takes room
      return kept;
    }
  }
  if (std::ranges::find(kept_, name) == kept_.end()) kept_.push_back(name);
  return {};
}

Result<void> RepairFiles::rename(const std::string& from, const std::string& to) {
  if (::renameat(directory_.fd, from.c_str(), directory_.fd, to.c_str()) != 0) return failed("renaming", from);
  return sync_directory();
}

Result<void> RepairFiles::move_aside(const std::string& file, const std::string& tag) {
  const std::string name = "torn-" + tag + ".bin";
  if (auto renamed = rename(file, name); !renamed) return renamed;
  kept_.push_back(name);
  return {};
}

}  // namespace leat::internal
