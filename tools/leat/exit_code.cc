#include "tools/leat/exit_code.h"

#include <unistd.h>

#include "text/text_encoding.h"

namespace leat::tool {
namespace {

/// What to do about an error that carries no advice of its own.
std::string_view hint_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::ok: return "";
    case ErrorCode::no_broker: return "start it with leatd --feed NAME";
    case ErrorCode::unknown_feed: return "check --feed, --runtime-dir and --data-dir";
    case ErrorCode::permission_denied: return "ask the feed's owner for access, or run as a user who has it";
    case ErrorCode::layout_mismatch: return "use leat and leatd of the same version";
    case ErrorCode::invalid_argument: return "see leat --help";
    case ErrorCode::too_large: return "send less";
    case ErrorCode::bad_topic: return "use a topic such as session.created";
    case ErrorCode::would_block: return "try again; see leat stat for who is behind";
    case ErrorCode::timed_out: return "raise --timeout; see leat stat for who is behind";
    case ErrorCode::feed_failed: return "see the broker's log; restart leatd once the disk is well";
    case ErrorCode::revoked: return "see the broker's log";
    case ErrorCode::receipt_expired: return "look for the event with leat tail";
    case ErrorCode::refused: return "see the broker's log";
    case ErrorCode::corrupt: return "keep the files as they are; docs/recovery.md says what can be done";
    case ErrorCode::io_error: return "check the path and the disk";
    case ErrorCode::no_space: return "free some space";
    case ErrorCode::busy: return "try again later; see leat stat for who holds the slots";
    case ErrorCode::ephemeral: return "leave out durable=false to publish it";
    case ErrorCode::protocol_error: return "use leat and leatd of the same version";
    case ErrorCode::closed: return "run leat again";
    case ErrorCode::used_after_fork: return "run leat again";
    case ErrorCode::untrusted: return "name the directory of the broker that is meant: --runtime-dir";
    case ErrorCode::pending:
      return "do not publish it again: it is in the feed, or will be; see leat stat for who is behind";
  }
  return "see leat --help";
}

}  // namespace

const char* const kExitCodesHelp =
    "Exit status:\n"
    "  0  done, or the reader of standard output went away\n"
    "  1  failed: anything not named below; verify and repair: the journal is damaged\n"
    "  2  bad option\n"
    "  3  no such feed, or no broker serves it\n"
    "  4  no rights\n"
    "  5  --timeout passed\n"
    "  6  at least one event was not published (refused, or a bad line of input)\n"
    "  7  the journal is corrupt\n"
    "  8  a reset under --strict\n"
    "  9  verify --history: a promise was broken\n"
    "  Ctrl-C, SIGTERM, SIGHUP: whole lines are written, then leat ends by that signal (130, 143, 129 in a shell).\n"
    "\n"
    "Environment: LEAT_RUNTIME_DIR, LEAT_DATA_DIR, LEAT_OWNER (see --runtime-dir, --data-dir, --owner of each "
    "command), NO_COLOR.";

ExitCode exit_code_for(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::ok: return kExitOk;
    case ErrorCode::no_broker:
    case ErrorCode::unknown_feed: return kExitNoBroker;
    case ErrorCode::permission_denied:
    case ErrorCode::untrusted: return kExitNoRights;
    case ErrorCode::invalid_argument: return kExitUsage;
    case ErrorCode::timed_out:
    case ErrorCode::pending:
    case ErrorCode::would_block: return kExitTimedOut;
    case ErrorCode::too_large:
    case ErrorCode::bad_topic:
    case ErrorCode::refused:
    case ErrorCode::ephemeral:
    case ErrorCode::feed_failed:
    case ErrorCode::revoked: return kExitRefused;
    case ErrorCode::corrupt: return kExitCorrupt;
    case ErrorCode::layout_mismatch:
    case ErrorCode::receipt_expired:
    case ErrorCode::io_error:
    case ErrorCode::no_space:
    case ErrorCode::busy:
    case ErrorCode::protocol_error:
    case ErrorCode::used_after_fork:
    case ErrorCode::closed: return kExitFailed;
  }
  return kExitFailed;
}

void complain(std::string_view message) {
  constexpr std::size_t kMaxMessageBytes = 2000;  // some messages quote the input
  std::string line = "leat: ";
  append_escaped(line, message.substr(0, kMaxMessageBytes), {.keep_backslash = true});
  line += '\n';
  // One write, so that lines of several processes do not mix. Nothing can be done if standard error is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string describe(const Error& error, std::string_view context) {
  std::string text(context);
  if (!text.empty()) text += ": ";
  text += error.message.empty() ? std::string(error_name(error.code)) : error.message;
  if (error.advice().empty()) {
    if (const std::string_view hint = hint_for(error.code); !hint.empty()) text.append("; ").append(hint);
  }
  return text;
}

int fail(const Error& error) {
  complain(describe(error));
  return exit_code_for(error.code);
}

int fail(ExitCode code, std::string_view message) {
  complain(message);
  return code;
}

}  // namespace leat::tool
