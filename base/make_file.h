// Making files in a directory that may be another user's: the owner of the directory is the owner of what is in it.
#pragma once

#include <string>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::internal {

/// Gives a file that this process may have made to the directory's owner and group, whoever runs this: a file of root's
/// in another's journal would be closed to the owner's broker. Nothing to do for the owner. Error: permission_denied,
/// for one who is neither owner nor root.
Result<void> give_to_owner(int directory_fd, int file_fd, const std::string& what);

enum class Existing { refuse, replace };

/// Makes a new file (mode 0600) that belongs to the directory's owner. What stands there under the name, a symbolic
/// link for example, is never followed nor written to: `replace` removes it, `refuse` is an error. `flags`: O_WRONLY or
/// O_RDWR, and whatever else open(2) takes. `directory` is for messages.
Result<UniqueFd> make_file(int directory_fd, const std::string& directory, const std::string& name, int flags,
                           Existing existing);

}  // namespace leat::internal
