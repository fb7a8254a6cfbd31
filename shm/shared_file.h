// The first 64 bytes of every file that lies in shared memory, and how such a file is made and checked.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <leat/result.h>

#include "base/atomic_enum.h"
#include "shm/layout_version.h"
#include "base/unique_fd.h"
#include "record/feed_uuid.h"

namespace leat::internal {

enum class FileState : std::uint32_t { initialising = 0, ready = 1, retired = 2 };

// A shared file begins with (little-endian; written by the broker before `state` becomes ready, then only `state`):
//
//   off size field
//     0    8 magic           one per kind of file
//     8    4 layout_version  kSharedLayoutVersion
//    12    4 state           FileState; `ready` is stored last, with release; clients attach to nothing else
//    16   16 feed_uuid       whose file it is
//    32    8 instance        random; the files of one set carry the same
//    40    8 file_bytes      size of the whole file
//    48    8 capacity        slots, rows or data bytes, by kind
//    56    8 reserved        0
struct SharedFileHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  AtomicEnum<FileState, std::atomic<std::uint32_t>> state;
  FeedUuid feed_uuid;
  std::uint64_t instance;
  std::uint64_t file_bytes;
  std::uint64_t capacity;
  std::uint64_t reserved;

  [[nodiscard]] FileState load_state() const noexcept {
    return state.load(std::memory_order_acquire);  // pairs with publish_state
  }
  void publish_state(FileState next) noexcept { state.store(next, std::memory_order_release); }
};
static_assert(sizeof(SharedFileHeader) == 64);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

/// What a file of some kind must look like.
struct SharedFileSpec {
  std::uint64_t magic = 0;
  FeedUuid feed_uuid = {};
  std::uint64_t instance = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t capacity = 0;
};

/// The header that a file of that kind begins with.
inline SharedFileHeader make_shared_header(const SharedFileSpec& spec, FileState state) noexcept {
  return {.magic = spec.magic,
          .layout_version = kSharedLayoutVersion,
          .state = state,
          .feed_uuid = spec.feed_uuid,
          .instance = spec.instance,
          .file_bytes = spec.file_bytes,
          .capacity = spec.capacity,
          .reserved = 0};
}

/// Makes `path` (mode 0600, O_EXCL under a temporary name, then renamed), really allocates it and writes all of the
/// header but `ready`. Error no_space names the bytes needed: a full tmpfs is reported here, never by SIGBUS later.
Result<UniqueFd> create_shared_file(const std::string& path, const SharedFileSpec& spec);

/// Reads and checks the header of an open shared file against its real size. `what` names the file in errors.
/// Errors: layout_mismatch, protocol_error. `state` may be anything.
Result<SharedFileSpec> read_shared_header(int fd, std::uint64_t magic, std::string_view what);

}  // namespace leat::internal
