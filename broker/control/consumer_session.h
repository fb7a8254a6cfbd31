// A consumer at the control socket: its slot at the doorbell, files of the journal that it asks for, its named cursor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "broker/control/session.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

class ConsumerSession final : public Session {
 public:
  /// Errors: busy, io_error.
  static Result<std::unique_ptr<ConsumerSession>> admit(const SessionParts& parts, const Connection& connection);
  ~ConsumerSession() override;

  Result<void> welcome() override;
  Result<void> serve(const internal::Received& received) override;
  void give_back() override;

  /// Writes its eventfd, if it has armed that since.
  void ring_if_armed() const;
  /// The named cursor that it has taken; empty: none.
  [[nodiscard]] const std::string& cursor() const { return cursor_; }

 private:
  ConsumerSession(const SessionParts& parts, const Connection& connection, std::uint32_t slot,
                  internal::UniqueFd event_fd, internal::UniqueFd directory);

  Result<void> open_file(const internal::Received& received);
  Result<void> serve_cursor(const internal::Received& received, internal::MessageType type);
  Result<void> take_cursor(const internal::CursorMessage& ask, internal::CursorMessage& answer);
  Result<void> save_cursor(const internal::CursorMessage& ask);

  std::uint32_t slot_;
  internal::UniqueFd event_fd_;
  internal::UniqueFd directory_;  // until it is welcomed
  std::string cursor_;
};

}  // namespace leat::broker
