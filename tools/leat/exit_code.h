// How `leat` ends, and how it says what went wrong: the same for every subcommand.
#pragma once

#include <string>
#include <string_view>

#include <leat/error.h>

namespace leat::tool {

/// Exit statuses. Scripts depend on them: never renumber. kExitCodesHelp in exit_code.cc says them to the user.
enum ExitCode : int {
  kExitOk = 0,            ///< done; also when the reader of our standard output went away
  kExitFailed = 1,        ///< anything not named below, e.g. a system call; verify and repair: the journal is damaged
  kExitUsage = 2,         ///< bad option, or options that do not go together
  kExitNoBroker = 3,      ///< no such feed, or nobody serves it
  kExitNoRights = 4,      ///< the feed's rules or file modes do not admit this user
  kExitTimedOut = 5,      ///< --timeout passed
  kExitRefused = 6,       ///< at least one event was not published: refused, or a bad line of input
  kExitCorrupt = 7,       ///< stored bytes fail their check
  kExitReset = 8,         ///< tail or replay --strict: the place asked for cannot be resumed, or the journal has a gap
  kExitBroken = 9,        ///< verify --history: a promise was broken
  kExitSignalBase = 128,  ///< plus the signal's number: ended by it
};

/// The one place where the library's errors become exit statuses.
ExitCode exit_code_for(ErrorCode code) noexcept;

/// For the footer of `leat --help`.
extern const char* const kExitCodesHelp;

/// Writes "leat: <message>" as exactly one line to standard error; control bytes are escaped.
void complain(std::string_view message);

/// complain() with the library's message, plus a hint where it carries none; returns the exit status for it.
int fail(const Error& error);

/// complain(), and returns `code`.
int fail(ExitCode code, std::string_view message);

/// What fail(error) prints behind "leat: ". `context` (may be empty) goes in front, e.g. "line 7".
std::string describe(const Error& error, std::string_view context = {});

}  // namespace leat::tool
