// What a consumer asks of the broker after it was let in, and what the broker answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "client-lib/connect/connection.h"
#include "shm/control/control_socket.h"

namespace leat::client {

/// Questions and answers on one control connection after the other. Each answer names its question: one that comes
/// after its asker has given up on it is not the answer to the next. One thread.
class BrokerDialog {
 public:
  /// Gets answers about cursors that nobody waits for any more.
  using LateListener = std::function<void(const internal::CursorMessage&)>;
  void on_late_answer(LateListener listener) { late_listener_ = std::move(listener); }

  void begin(Connection connection) noexcept;
  void end() noexcept { begin({}); }
  [[nodiscard]] Connection& connection() noexcept { return connection_; }
  [[nodiscard]] const Connection& connection() const noexcept { return connection_; }

  /// True once the broker has closed its end, or says what nobody has asked.
  [[nodiscard]] bool has_gone();
  /// One question, one answer. Errors: closed, timed_out, protocol_error, layout_mismatch.
  Result<void> ask(internal::MessageHeader& question, internal::MessageType answer_type, std::size_t answer_bytes,
                   internal::Received& answer);
  /// Asks without waiting for the answer. Returns the question's number, also where it could not be sent.
  std::uint16_t post(internal::MessageHeader& question);
  /// Too many answers are owed: who does not give them is not there to be asked.
  [[nodiscard]] bool is_behind() const noexcept { return answers_owed_ >= kMaxAnswersOwed; }
  /// A file of the journal that this user may not open himself. Sets errno where the descriptor is not valid, as
  /// JournalFiles::Opener.
  internal::UniqueFd open_file(const std::string& name);

 private:
  static constexpr std::uint64_t kMaxAnswersOwed = 4;

  std::uint16_t next_question() noexcept;
  bool take_late_answer();

  Connection connection_;
  LateListener late_listener_;
  std::uint64_t answers_owed_ = 0;  // to questions whose answers nobody waits for
  std::uint16_t last_question_ = 0;
};

}  // namespace leat::client
