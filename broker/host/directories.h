// The directories of a feed: made where they are missing, and refused where they are somebody else's.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::broker {

/// Makes a directory, or takes one that is there. A symbolic link to one is taken too, if it was made by ourselves or
/// by root: whoever can make a link where we look could send us anywhere. Errors: invalid_argument for what is no
/// directory, a dangling link among them; permission_denied; io_error.
Result<void> make_directory(const std::filesystem::path& path, mode_t mode);

/// The way to a directory of ours, as far as it is not there: nobody else may write on it, whatever the umask says.
Result<void> make_parents(const std::filesystem::path& path);

/// For directories of this feed alone: one that an earlier start made with other rules gets the mode of today's.
Result<void> make_own_directory(const std::filesystem::path& path, mode_t mode);

/// A directory that somebody else made in a place where all can write could be anything. Error: permission_denied, with
/// `advice` at its end; with `if_theirs`, if given, where it is another's and we are not root.
Result<void> check_owner(const std::filesystem::path& path, const char* advice, const char* if_theirs = nullptr);

/// Makes (0700) or takes the directory of a journal, and opens it. It must be our own: what we would make in another's
/// would be closed to the owner's broker, and the owner could put anything in our way. Errors: as above.
Result<internal::UniqueFd> take_journal_directory(const std::filesystem::path& path, const char* advice);

}  // namespace leat::broker
