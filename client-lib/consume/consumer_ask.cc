// What a consumer asks of the broker after it was let in: files of the journal that it may not open itself, and its
// named cursor.
#include <cerrno>
#include <cstring>

#include "consume/consumer_impl.h"
#include "shm/journal/cursor_file.h"

namespace leat {

using namespace shm;

namespace {
constexpr int kAnswerTimeoutMs = 2000;
}  // namespace

Result<void> Consumer::Impl::ask(const void* message, std::size_t bytes, MessageType type, std::size_t answer_bytes,
                                 Received& answer) {
  const int socket = connection.socket.get();
  // An answer that came after we had given up on it is not the answer to this.
  while (receive_message(socket, answer, 0).ok() && answer.size > 0) {
  }
  const auto deadline = Deadline::after_ms(kAnswerTimeoutMs);
  auto done = send_message(socket, message, bytes, deadline);
  if (done) done = receive_message(socket, answer, deadline);
  if (done && answer.size == 0) done = Error{ErrorCode::closed, "the broker has gone"};
  if (done) done = check_message(answer, type, answer_bytes);
  return done;
}

UniqueFd Consumer::Impl::open_by_broker(const std::string& name) {
  OpenFileMessage wanted{};
  wanted.header = make_header(MessageType::open_file, sizeof wanted);
  name.copy(wanted.name, sizeof wanted.name - 1);
  Received received;
  const auto done = ask(&wanted, sizeof wanted, MessageType::file_opened, sizeof(FileOpenedMessage), received);
  errno = EACCES;  // without a broker to ask, that is how it stands
  if (!done) return {};
  FileOpenedMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status != 0 || received.fd_count != 1) {
    errno = answer.status != 0 ? static_cast<int>(answer.status) : EPROTO;
    return {};
  }
  return std::move(received.fds[0]);
}

Result<void> Consumer::Impl::check_cursor_name() const {
  if (is_cursor_name(options.cursor_name)) return {};
  return Error{ErrorCode::invalid_argument,
               "bad cursor name '" + options.cursor_name.substr(0, 80) + "': use 1 to 63 of A-Z a-z 0-9 . _ -"};
}

Result<bool> Consumer::Impl::take_cursor() {
  if (auto checked = check_cursor_name(); !checked) return checked.error();
  cursor_taken = false;
  auto answer = ask_cursor(MessageType::take_cursor);
  if (!answer) return answer.error();
  cursor_taken = true;
  named_place = {.epoch = answer->epoch, .sequence = answer->sequence};
  return answer->known == 1;
}

Result<CursorMessage> Consumer::Impl::ask_cursor(MessageType type, std::optional<Cursor> place) {
  if (options.cursor_name.empty()) {
    return Error{ErrorCode::invalid_argument, "this consumer has no named cursor; give it one: ConsumerOptions::cursor_name"};
  }
  if (type != MessageType::take_cursor) {
    maintain();
    if (!cursor_taken || client::peer_has_gone(connection.socket.get())) {
      if (ring() == nullptr || client::peer_has_gone(connection.socket.get())) {
        return Error{ErrorCode::no_broker, "no broker to move cursor '" + options.cursor_name +
                                               "': start leatd; until then it stays where it was saved last"};
      }
      if (auto taken = take_cursor(); !taken) return taken.error();
    }
  }
  CursorMessage message{};
  message.header = make_header(type, sizeof message);
  options.cursor_name.copy(message.name, sizeof message.name - 1);
  message.epoch = place ? place->epoch : epoch;
  message.sequence = place ? place->sequence : next_sequence - 1;
  Received received;
  if (auto asked = ask(&message, sizeof message, MessageType::cursor_answer, sizeof(CursorMessage), received); !asked) {
    return asked.error();
  }
  CursorMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status == 0) return answer;
  return Error{static_cast<ErrorCode>(answer.status), std::string(answer.text, ::strnlen(answer.text, sizeof answer.text))};
}

}  // namespace leat
