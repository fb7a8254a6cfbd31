#include "broker/storage/file_system.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "broker/storage/known_file_systems.h"
#include "base/make_file.h"

namespace leat::broker {

using namespace internal;

namespace {

enum class Kind : std::uint8_t { in_place, copy_on_write, network, hidden };

struct KnownFileSystem {
  std::uint32_t magic;  // of statfs(2)
  const char* name;
  Kind kind;
};

// XFS writes in place unless somebody has cloned a file: see SegmentPool::open_current and the fault guard for those.
constexpr std::array kKnown = {
    KnownFileSystem{0xEF53, "ext2, ext3 or ext4", Kind::in_place},
    KnownFileSystem{0x58465342, "xfs", Kind::in_place},
    KnownFileSystem{0x01021994, "tmpfs", Kind::in_place},
    KnownFileSystem{0x858458F6, "ramfs", Kind::in_place},
    KnownFileSystem{0x3153464A, "jfs", Kind::in_place},
    KnownFileSystem{0x9123683E, "btrfs", Kind::copy_on_write},
    KnownFileSystem{0xCA451A4E, "bcachefs", Kind::copy_on_write},
    KnownFileSystem{0x2FC12FC1, "zfs", Kind::copy_on_write},
    KnownFileSystem{0xF2F52010, "f2fs", Kind::copy_on_write},
    KnownFileSystem{0x3434, "nilfs2", Kind::copy_on_write},
    KnownFileSystem{0x7461636F, "ocfs2", Kind::copy_on_write},
    KnownFileSystem{0x6969, "nfs", Kind::network},
    KnownFileSystem{0xFF534D42, "cifs", Kind::network},
    KnownFileSystem{0xFE534D42, "smb", Kind::network},
    KnownFileSystem{0x517B, "smb", Kind::network},
    KnownFileSystem{0x65735546, "fuse or virtiofs", Kind::network},
    KnownFileSystem{0x01021997, "9p", Kind::network},
    KnownFileSystem{0x00C36400, "ceph", Kind::network},
    KnownFileSystem{0x5346414F, "afs", Kind::network},
    KnownFileSystem{0x6B414653, "afs", Kind::network},
    KnownFileSystem{0x73757245, "coda", Kind::network},
    KnownFileSystem{0x0BD00BD0, "lustre", Kind::network},
    KnownFileSystem{0x01161970, "gfs2", Kind::network},
    KnownFileSystem{0x19830326, "beegfs", Kind::network},
    KnownFileSystem{0x47504653, "gpfs", Kind::network},
    KnownFileSystem{0x786F4256, "vboxsf", Kind::network},
    KnownFileSystem{0xBACBACBC, "vmhgfs", Kind::network},
    KnownFileSystem{0xF15F, "ecryptfs", Kind::network},
    KnownFileSystem{0x794C7630, "overlay", Kind::hidden},
    KnownFileSystem{0x61756673, "aufs", Kind::hidden},
};

enum class Clones : std::uint8_t { yes, no, unknown };

// Whether files can share their bytes here, so that a store into one of them may need new room.
Clones can_clone(const JournalDirectory& directory) {
  UniqueFd files[2];
  for (int i = 0; i < 2; ++i) {
    const std::string name = "prepared-probe-" + std::to_string(i) + ".tmp";
    auto made = make_file(directory.fd, directory.path, name, O_RDWR, Existing::replace);
    if (!made) return Clones::unknown;
    files[i] = std::move(*made);
    ::unlinkat(directory.fd, name.c_str(), 0);
  }
  if (::ioctl(files[1].get(), FICLONE, files[0].get()) == 0) return Clones::yes;
  return errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS ? Clones::no : Clones::unknown;
}

void judge(FileSystem& found, Kind kind) {
  if (kind == Kind::copy_on_write) {
    found.writes = SegmentWrites::written;
    found.why = "it writes to another place than where the bytes stood, so no room can be had ahead";
  } else if (kind == Kind::network) {
    found.writes = SegmentWrites::synced;
    found.why = "whoever keeps the bytes may say only when they are synced that there is no room";
  }
}

}  // namespace

std::optional<FileSystem> known_file_system(std::uint32_t magic, std::string& name) {
  for (const KnownFileSystem& known : kKnown) {
    if (known.magic != magic) continue;
    name = known.name;
    if (known.kind == Kind::hidden) return std::nullopt;
    FileSystem found{.name = name, .writes = SegmentWrites::mapped, .why = {}};
    judge(found, known.kind);
    return found;
  }
  char unknown[40];
  std::snprintf(unknown, sizeof unknown, "unknown (type 0x%x)", magic);
  name = unknown;
  return std::nullopt;
}

Result<void> check_file_system_of_rings(std::uint32_t magic, const std::string& directory) {
  std::string name;
  const auto known = known_file_system(magic, name);
  if (!known || known->writes == SegmentWrites::mapped) return {};
  return Error{ErrorCode::invalid_argument,
               "rings cannot lie in " + directory + ", which is on " + name +
                   ": a full disk would end leatd and its clients in the middle of a store",
               "name a directory on a tmpfs, as /run and /dev/shm are: --runtime-dir or LEAT_RUNTIME_DIR"};
}

Result<FileSystem> look_at_file_system(const JournalDirectory& directory) {
  struct statfs stats {};
  if (::fstatfs(directory.fd, &stats) != 0)
    return system_error(errno, "looking at the file system of " + directory.path);
  FileSystem found{.name = {}, .writes = SegmentWrites::mapped, .why = {}};
  if (auto known = known_file_system(static_cast<std::uint32_t>(stats.f_type), found.name)) return *known;
  switch (can_clone(directory)) {
    case Clones::no: break;
    case Clones::yes:
      found.writes = SegmentWrites::written;
      found.why = "files can share their bytes there, so a store may need room that cannot be had ahead";
      break;
    case Clones::unknown:
      found.writes = SegmentWrites::written;
      found.why = "it could not be found out whether room can be had ahead there";
      break;
  }
  return found;
}

}  // namespace leat::broker
