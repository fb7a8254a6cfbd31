#include "client-lib/consume/broker_dialog.h"

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/deadline.h"
#include "journal/read/journal_files.h"

namespace leat::client {

using namespace internal;

namespace {
constexpr int kAnswerTimeoutMs = 2000;
constexpr int kMaxLateAnswers = 64;  ///< that one look takes
}  // namespace

void BrokerDialog::begin(Connection connection) noexcept {
  connection_ = std::move(connection);
  answers_owed_ = 0;
}

bool BrokerDialog::has_gone() {
  for (int looks = 0; looks < kMaxLateAnswers; ++looks) {
    if (!peer_has_gone(connection_.socket.get())) return false;
    if (answers_owed_ == 0 || !take_late_answer()) return true;  // what came is no answer that is owed
  }
  return true;
}

std::uint16_t BrokerDialog::next_question() noexcept {
  if (++last_question_ == 0) ++last_question_;  // 0: an answer to nobody knows what
  LEAT_ASSERT(last_question_ != 0);
  return last_question_;
}

// Takes an answer that nobody waits for any more. False: there is none.
bool BrokerDialog::take_late_answer() {
  Received answer;
  if (!receive_message(connection_.socket.get(), answer, 0).ok() || answer.size == 0) return false;
  if (answers_owed_ > 0) --answers_owed_;
  CursorMessage said;
  if (!check_message(answer, MessageType::cursor_answer, sizeof said).ok()) return true;
  std::memcpy(&said, answer.bytes.data(), sizeof said);
  if (late_listener_) late_listener_(said);
  return true;
}

Result<void> BrokerDialog::ask(MessageHeader& message, MessageType answer_type, std::size_t answer_bytes,
                               Received& answer) {
  const int socket = connection_.socket.get();
  if (socket < 0) return Error{ErrorCode::closed, "the broker has gone", "start leatd"};
  while (answers_owed_ > 0 && take_late_answer()) {
  }
  const std::uint16_t question = next_question();
  message.reserved = question;
  const Deadline deadline = Deadline::after_ms(kAnswerTimeoutMs);
  if (auto sent = send_message(socket, &message, message.bytes, deadline); !sent) return sent;
  for (;;) {
    auto done = receive_message(socket, answer, deadline);
    if (!done && done.error().code == ErrorCode::timed_out) ++answers_owed_;
    if (!done) return done;
    if (answer.size == 0) return Error{ErrorCode::closed, "the broker has gone", "start leatd"};
    MessageHeader header{};
    if (answer.size >= sizeof header) std::memcpy(&header, answer.bytes.data(), sizeof header);
    if (header.reserved == question || answers_owed_ == 0) return check_message(answer, answer_type, answer_bytes);
    --answers_owed_;
    for (UniqueFd& fd : answer.fds) fd.reset();
  }
}

std::uint16_t BrokerDialog::post(MessageHeader& message) {
  message.reserved = next_question();
  if (send_message(connection_.socket.get(), &message, message.bytes, Deadline::after_ms(0)).ok()) ++answers_owed_;
  return message.reserved;
}

UniqueFd BrokerDialog::open_file(const std::string& name) {
  OpenFileMessage wanted{};
  wanted.header = make_header(MessageType::open_file, sizeof wanted);
  name.copy(wanted.name, sizeof wanted.name - 1);
  Received received;
  if (!ask(wanted.header, MessageType::file_opened, sizeof(FileOpenedMessage), received)) {
    errno = JournalFiles::kNobodyToAsk;  // a broker that is away, or does not answer just now, is no lack of rights
    return {};
  }
  FileOpenedMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status != 0 || received.fd_count != 1) {
    errno = answer.status != 0 ? static_cast<int>(answer.status) : EPROTO;
    return {};
  }
  return std::move(received.fds[0]);
}

}  // namespace leat::client
