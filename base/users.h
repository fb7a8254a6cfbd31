// Users and groups of the host by their names. A look-up that fails is never taken for a name that is not there.
#pragma once

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include <leat/result.h>

namespace leat::internal {

/// getpwnam_r, getgrnam_r, or a test's stand-in.
using PasswdLookup = int (*)(const char* name, passwd* entry, char* room, std::size_t bytes, passwd** found);
using GroupLookup = int (*)(const char* name, group* entry, char* room, std::size_t bytes, group** found);

/// The number of the user or group, or nothing if the host has none of that name. Threads: any. Error: the errno of a
/// look-up that failed (no descriptors, no memory, a directory service that does not answer); which of these failures
/// are reported depends on the services in nsswitch.conf.
Result<std::optional<uid_t>> find_user(const std::string& name, PasswdLookup lookup = ::getpwnam_r);
Result<std::optional<gid_t>> find_group(const std::string& name, GroupLookup lookup = ::getgrnam_r);

}  // namespace leat::internal
