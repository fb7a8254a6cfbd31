// Telling another thread or process something through an eventfd.
#pragma once

namespace leat::internal {

/// Makes the eventfd readable; it stays so until it is read. A write that fails is tried again, a hundred times: what
/// waits for it has no other sign. False if all failed; errno says why. Thread safe, and safe in a signal handler.
bool make_readable(int event_fd) noexcept;

}  // namespace leat::internal
