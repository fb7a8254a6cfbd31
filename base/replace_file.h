// Replacing a small file of the journal directory whole and durably.
#pragma once

#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::internal {

/// Writes `bytes` beside `name`, syncs, renames over it, syncs the directory: after a crash the one or the other is
/// there, never a mixture. When this returns ok, the new one survives a loss of power. `directory` is for messages.
Result<void> replace_file(int directory_fd, const std::string& directory, const std::string& name,
                          std::string_view bytes);

/// Reads a whole file; more than `most` bytes are cut off there. `what` names it in errors.
Result<std::string> read_whole_file(int fd, std::size_t most, const std::string& what);

}  // namespace leat::internal
