// The calls that change files or names, caught by the linker: `-Wl,--wrap=NAME` sends those of the product here. Each
// is forwarded; what concerns the directory under watch is told to the Disk.
//
// fstat tells each directory the same inode number, and each file the same time of change: disks that a crash left are
// built in a directory of their own, and must look as if they were the one of before. The clock is a counter while a
// disk is recorded, so that a run can be repeated.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdarg>
#include <string>

#include "tests/storage/disk.h"
#include "tests/storage/io_wrap.h"

using leat::test::Disk;

namespace {

constexpr ino_t kDirectoryInode = 4242;
constexpr long kClockStepNs = 1'000;
long clock_ns = 0;

template <typename Call>
auto changing(int fd, Call call) {
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && disk->holds(fd);
  if (ours) disk->before_call();
  const auto result = call();
  if (ours) disk->after_call();
  return result;
}

template <typename Call>
int syncing(int fd, Call call) {
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && (disk->is_directory(fd) || disk->holds(fd));
  if (ours) disk->before_sync();
  const int result = call();
  if (ours && result == 0) disk->synced(fd);
  return result;
}

void disguise(struct stat* status) {
  if (S_ISDIR(status->st_mode)) status->st_ino = kDirectoryInode;
  status->st_ctim = {.tv_sec = 1, .tv_nsec = 0};
}

}  // namespace

extern "C" {

int __real_openat(int directory, const char* name, int flags, ...);
ssize_t __real_write(int fd, const void* bytes, size_t count);
ssize_t __real_pwrite(int fd, const void* bytes, size_t count, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_posix_fallocate(int fd, off_t offset, off_t size);
int __real_renameat(int from_directory, const char* from, int to_directory, const char* to);
int __real_linkat(int from_directory, const char* from, int to_directory, const char* to, int flags);
int __real_unlinkat(int directory, const char* name, int flags);
int __real_fstat(int fd, struct stat* status);
int __real_fstatat(int directory, const char* name, struct stat* status, int flags);
int __real_stat(const char* path, struct stat* status);
int __real_clock_gettime(clockid_t id, timespec* now);

int __wrap_openat(int directory, const char* name, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && (flags & (O_CREAT | O_TRUNC)) != 0 && disk->is_directory(directory);
  if (ours) disk->before_call();
  const int fd = __real_openat(directory, name, flags, mode);
  if (ours && fd >= 0) disk->opened(fd, name);
  return fd;
}

ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  return changing(fd, [&] { return __real_write(fd, bytes, count); });
}
ssize_t __wrap_pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return changing(fd, [&] { return __real_pwrite(fd, bytes, count, offset); });
}
int __wrap_ftruncate(int fd, off_t size) {
  return changing(fd, [&] { return __real_ftruncate(fd, size); });
}
int __wrap_posix_fallocate(int fd, off_t offset, off_t size) {
  return changing(fd, [&] { return __real_posix_fallocate(fd, offset, size); });
}
int __wrap_fsync(int fd) {
  return syncing(fd, [&] { return __real_fsync(fd); });
}
int __wrap_fdatasync(int fd) {
  return syncing(fd, [&] { return __real_fdatasync(fd); });
}

int __wrap_renameat(int from_directory, const char* from, int to_directory, const char* to) {
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && disk->is_directory(from_directory);
  if (ours) disk->before_call();
  const int result = __real_renameat(from_directory, from, to_directory, to);
  if (ours && result == 0) disk->renamed(from, to);
  return result;
}

int __wrap_linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && disk->is_directory(from_directory);
  if (ours) disk->before_call();
  const int result = __real_linkat(from_directory, from, to_directory, to, flags);
  if (ours && result == 0) disk->linked(from, to);
  return result;
}

int __wrap_unlinkat(int directory, const char* name, int flags) {
  Disk* const disk = Disk::recording();
  const bool ours = disk != nullptr && disk->is_directory(directory);
  if (ours) disk->before_call();
  const int result = __real_unlinkat(directory, name, flags);
  if (ours && result == 0) disk->unlinked(name);
  return result;
}

int __wrap_fstat(int fd, struct stat* status) {
  const int result = __real_fstat(fd, status);
  if (result == 0) disguise(status);
  return result;
}
int __wrap_fstatat(int directory, const char* name, struct stat* status, int flags) {
  const int result = __real_fstatat(directory, name, status, flags);
  if (result == 0) disguise(status);
  return result;
}
int __wrap_stat(const char* path, struct stat* status) {
  const int result = __real_stat(path, status);
  if (result == 0) disguise(status);
  return result;
}

int __wrap_clock_gettime(clockid_t id, timespec* now) {
  if (Disk::recording() == nullptr) return __real_clock_gettime(id, now);
  clock_ns += kClockStepNs;
  *now = {.tv_sec = 1'000'000 + clock_ns / 1'000'000'000, .tv_nsec = clock_ns % 1'000'000'000};
  return 0;
}

}  // extern "C"

int leat::test::real_fstat(int fd, struct stat* status) { return __real_fstat(fd, status); }
int leat::test::real_stat(const char* path, struct stat* status) { return __real_stat(path, status); }
