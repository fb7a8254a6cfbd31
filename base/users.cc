#include "base/users.h"

#include <cerrno>
#include <vector>

namespace leat::internal {
namespace {

constexpr std::size_t kFirstRoom = std::size_t{16} * 1024;
constexpr std::size_t kMostRoom = std::size_t{16} * 1024 * 1024;  // a group of a million members

/// Some services say so when they have no such name, as getpwnam(3) warns.
bool means_not_found(int error) { return error == ENOENT || error == ESRCH || error == EBADF || error == EPERM; }

template <typename Entry, typename Lookup>
Result<std::optional<std::uint32_t>> find(const std::string& name, const char* kind, Lookup lookup,
                                          std::uint32_t Entry::*id) {
  std::vector<char> room(kFirstRoom);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = lookup(name.c_str(), &entry, room.data(), room.size(), &found);
    if (error == EINTR) continue;
    if (error == ERANGE && room.size() < kMostRoom) {
      room.resize(2 * room.size());
      continue;
    }
    if (error != 0 && !means_not_found(error)) {
      return system_error(error, std::string("looking up ") + kind + " '" + name + "'");
    }
    if (error != 0 || found == nullptr) return std::optional<std::uint32_t>{};
    return std::optional<std::uint32_t>{found->*id};
  }
}

}  // namespace

Result<std::optional<uid_t>> find_user(const std::string& name, PasswdLookup lookup) {
  return find<passwd>(name, "user", lookup, &passwd::pw_uid);
}

Result<std::optional<gid_t>> find_group(const std::string& name, GroupLookup lookup) {
  return find<group>(name, "group", lookup, &group::gr_gid);
}

}  // namespace leat::internal
