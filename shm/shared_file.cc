#include "shm/shared_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/whole_io.h"
#include "shm/layout_version.h"

namespace leat::internal {
namespace {

std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

Error no_room(const std::string& path, std::uint64_t needed, int error_number) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash == 0 ? 1 : slash);
  struct statvfs stats {};
  std::string free_text = "an unknown amount";
  if (statvfs(directory.c_str(), &stats) == 0) free_text = megabytes(stats.f_bavail * stats.f_frsize);
  return {ErrorCode::no_space,
          "cannot allocate " + path + ": it needs " + megabytes(needed) + ", " + free_text + " is free in " +
              directory + ": " + std::strerror(error_number) + " (errno " + std::to_string(error_number) + ")",
          std::string("lower --ring-bytes, --arena-bytes or --inbound-slots, or ") +
              (error_number == EFBIG ? "raise the limit on the size of files (ulimit -f, LimitFSIZE of systemd)"
                                     : "give the file system more room")};
}

}  // namespace

Result<UniqueFd> create_shared_file(const std::string& path, const SharedFileSpec& spec) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return system_error(errno, "creating " + temporary);
  // posix_fallocate gives real pages or ENOSPC; ftruncate alone would leave holes that fault with SIGBUS when full.
  if (const int failed = allocate_file(fd.get(), spec.file_bytes); failed != 0) {
    ::unlink(temporary.c_str());
    if (failed == ENOSPC || failed == EFBIG) return no_room(path, spec.file_bytes, failed);
    return system_error(failed, "allocating " + temporary);
  }
  const SharedFileHeader header = make_shared_header(spec, FileState::initialising);
  if (!write_at(fd.get(), &header, sizeof header, 0)) {
    const int failed = errno;
    ::unlink(temporary.c_str());
    return system_error(failed, "writing " + temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int failed = errno;
    ::unlink(temporary.c_str());
    return system_error(failed, "renaming to " + path);
  }
  return fd;
}

Result<SharedFileSpec> read_shared_header(int fd, std::uint64_t magic, std::string_view what) {
  alignas(SharedFileHeader) std::byte raw[sizeof(SharedFileHeader)];
  const ssize_t got = read_at(fd, raw, sizeof raw, 0);
  if (got < 0) return system_error(errno, "reading the header of " + std::string(what));
  SharedFileSpec spec;
  std::uint32_t version = 0;
  if (got == static_cast<ssize_t>(sizeof raw)) {
    std::memcpy(&spec.magic, raw + offsetof(SharedFileHeader, magic), 8);
    std::memcpy(&version, raw + offsetof(SharedFileHeader, layout_version), 4);
    std::memcpy(&spec.feed_uuid, raw + offsetof(SharedFileHeader, feed_uuid), 16);
    std::memcpy(&spec.instance, raw + offsetof(SharedFileHeader, instance), 8);
    std::memcpy(&spec.file_bytes, raw + offsetof(SharedFileHeader, file_bytes), 8);
    std::memcpy(&spec.capacity, raw + offsetof(SharedFileHeader, capacity), 8);
  }
  if (spec.magic != magic) {
    return Error{ErrorCode::protocol_error, std::string(what) + " is not a file of the expected kind (bad magic)"};
  }
  if (version != kSharedLayoutVersion) {
    return Error{ErrorCode::layout_mismatch,
                 std::string(what) + " has layout version " + std::to_string(version) + ", this program knows " +
                     std::to_string(kSharedLayoutVersion),
                 "use broker and clients of one release"};
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error(errno, "fstat of " + std::string(what));
  if (static_cast<std::uint64_t>(status.st_size) != spec.file_bytes) {
    return Error{ErrorCode::protocol_error, std::string(what) + " is " + std::to_string(status.st_size) +
                                                " bytes long, its header says " + std::to_string(spec.file_bytes)};
  }
  return spec;
}

}  // namespace leat::internal
