// Ctrl-C and its like: remembered, acted upon between two events.
#pragma once

#include <chrono>

namespace leat::tool {

/// How long anything may sleep before it looks at stop_signal() again.
inline constexpr std::chrono::milliseconds kStopSlice{100};

/// From now on SIGINT, SIGTERM and SIGHUP are noted; a second one of a kind ends the process at once. One that was
/// ignored at start (nohup, background jobs) stays ignored. SIGPIPE is ignored: write() says EPIPE.
void watch_stop_signals();

/// The signal that asked us to stop, or 0.
int stop_signal() noexcept;

/// kExitSignalBase + stop_signal(): what a subcommand returns when it was stopped. main() then ends by that signal, as
/// tail(1) does, so a shell's loop around us ends too.
int stopped_status() noexcept;

/// Ends the process by `signal`'s default action.
[[noreturn]] void end_by(int signal);

/// Sleeps `duration`, or until a stop signal. False if there was one.
bool sleep_unless_stopped(std::chrono::nanoseconds duration);

}  // namespace leat::tool
