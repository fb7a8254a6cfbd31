// Sending and receiving control messages with descriptors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <leat/result.h>

#include "base/deadline.h"
#include "base/unique_fd.h"
#include "shm/control/control_layout.h"

namespace leat::internal {

/// Fills in a message's header.
MessageHeader make_header(MessageType type, std::size_t bytes) noexcept;

/// Sends one packet; never raises SIGPIPE. `fds` are borrowed. Waits as the socket does: for the broker, whose sockets
/// never block. Errors: io_error; closed when the peer has gone.
Result<void> send_message(int socket, const void* message, std::size_t bytes, std::span<const int> fds = {});
/// For clients: waits until `deadline` for room in the peer's queue. Error besides: timed_out.
Result<void> send_message(int socket, const void* message, std::size_t bytes, Deadline deadline);

/// What came in one packet. Descriptors are close-on-exec and owned.
struct Received {
  alignas(8) std::array<std::byte, kMaxMessageBytes> bytes;
  std::size_t size = 0;  ///< 0: the peer has closed its end
  std::array<UniqueFd, kMaxPassedFds> fds;
  std::size_t fd_count = 0;
};

/// Receives one packet. A packet that is too long, or brings too many descriptors, is a protocol_error; all of its
/// descriptors are closed. timed_out when nothing comes before `deadline`, whatever signals come meanwhile. io_error
/// when this process has no descriptor left to receive those of the packet with.
Result<void> receive_message(int socket, Received& received, Deadline deadline);
/// The same within `timeout_ms` from now (-1: for ever, 0: at once).
Result<void> receive_message(int socket, Received& received, int timeout_ms);

/// Checks magic, version, type and exact size. layout_mismatch names both versions.
Result<void> check_message(const Received& received, MessageType type, std::size_t bytes);

/// Writes the error's sentence into a message, cut to its room and terminated. Returns where its advice begins there,
/// 0 if it has none, or none that was not cut off.
std::uint32_t put_error_text(const Error& error, std::span<char> text) noexcept;
/// The error that a peer has put into a message: nothing of it is believed to be terminated, or inside of `text`.
Error take_error_text(std::uint32_t status, std::span<const char> text, std::uint32_t advice_at);

}  // namespace leat::internal
