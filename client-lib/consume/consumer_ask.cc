// What a consumer asks of the broker after it was let in: files of the journal that it may not open itself, and its
// named cursor.
#include <cerrno>
#include <cstring>

#include "client-lib/consume/consumer_impl.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "journal/format/cursor_file.h"

namespace leat {

using namespace internal;

namespace {
constexpr int kAnswerTimeoutMs = 2000;
constexpr std::int64_t kScanSaveNs = 500 * kNanosPerMilli;  ///< as often as the broker writes cursors down
constexpr std::uint64_t kMaxAnswersOwed = 4;                ///< who owes more is not there to be told
}  // namespace

// What was looked at and left out since the last save is not to be looked at again by whoever comes next.
Consumer::Impl::~Impl() {
  if (!stream || !owner.is_here()) return;
  next_scan_save_ns = 0;
  save_scanned(monotonic_ns());
}

std::uint16_t Consumer::Impl::next_question() noexcept {
  if (++last_question == 0) ++last_question;  // 0: an answer to nobody knows what
  return last_question;
}

// Takes an answer that nobody waits for any more. False: there is none.
bool Consumer::Impl::take_late_answer() {
  Received answer;
  if (!receive_message(connection.socket.get(), answer, 0).ok() || answer.size == 0) return false;
  if (answers_owed > 0) --answers_owed;
  CursorMessage said;
  if (!check_message(answer, MessageType::cursor_answer, sizeof said).ok()) return true;
  std::memcpy(&said, answer.bytes.data(), sizeof said);
  if (said.header.reserved != scan_question) return true;
  if (said.status == 0) {
    saved_sequence = std::max(saved_sequence, scan_sequence);
  } else {
    cursor_taken = false;  // taken anew before long, or save_cursor() says why not
  }
  return true;
}

// Each answer names its question: one that came after we had given up on it is not the answer to the next.
Result<void> Consumer::Impl::ask(MessageHeader& message, MessageType answer_type, std::size_t answer_bytes,
                                 Received& answer) {
  const int socket = connection.socket.get();
  if (socket < 0) return Error{ErrorCode::closed, "the broker has gone; start leatd"};
  while (answers_owed > 0 && take_late_answer()) {
  }
  const std::uint16_t question = next_question();
  message.reserved = question;
  const Deadline deadline = Deadline::after_ms(kAnswerTimeoutMs);
  if (auto sent = send_message(socket, &message, message.bytes, deadline); !sent) return sent;
  for (;;) {
    auto done = receive_message(socket, answer, deadline);
    if (!done && done.error().code == ErrorCode::timed_out) ++answers_owed;
    if (!done) return done;
    if (answer.size == 0) return Error{ErrorCode::closed, "the broker has gone; start leatd"};
    MessageHeader header{};
    if (answer.size >= sizeof header) std::memcpy(&header, answer.bytes.data(), sizeof header);
    if (header.reserved == question || answers_owed == 0) return check_message(answer, answer_type, answer_bytes);
    --answers_owed;
    for (UniqueFd& fd : answer.fds) fd.reset();
  }
}

UniqueFd Consumer::Impl::open_by_broker(const std::string& name) {
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

CursorMessage Consumer::Impl::cursor_message(MessageType type, Cursor place) const {
  CursorMessage message{};
  message.header = make_header(type, sizeof message);
  options.cursor_name.copy(message.name, sizeof message.name - 1);
  message.epoch = place.epoch;
  message.sequence = place.sequence;
  return message;
}

Result<CursorMessage> Consumer::Impl::ask_cursor(MessageType type, std::optional<Cursor> place) {
  if (auto ours = check_owner(); !ours) return ours.error();
  if (options.cursor_name.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "this consumer has no named cursor; give it one: ConsumerOptions::cursor_name"};
  }
  if (type != MessageType::take_cursor) {
    const Error no_broker{ErrorCode::no_broker, "no broker to move cursor '" + options.cursor_name +
                                                    "': start leatd; until then it stays where it was saved last"};
    // Not look_around(): whoever saves wants an answer now.
    (void)tend_now(monotonic_ns());
    if (!is_served()) return no_broker;
    if (!cursor_taken) {
      if (auto taken = take_cursor(); !taken) return taken.error();
    }
  }
  CursorMessage message = cursor_message(type, place.value_or(cursor()));
  Received received;
  if (auto asked = ask(message.header, MessageType::cursor_answer, sizeof(CursorMessage), received); !asked) {
    return asked.error();
  }
  CursorMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status != 0) {
    return Error{static_cast<ErrorCode>(answer.status),
                 std::string(answer.text, ::strnlen(answer.text, sizeof answer.text))};
  }
  if (type == MessageType::save_cursor) note_saved(message.sequence);
  if (type == MessageType::drop_cursor) {
    cursor_taken = false;
    cursor_dropped = true;
  }
  return answer;
}

bool Consumer::Impl::is_of_this_feed(const Cursor& place) {
  if (place.epoch == epoch) return true;
  const auto holds = [&] { return stream->files().identity().check(place) == CursorCheck::ok; };
  return holds() || (owner.is_here() && stream->files().refresh().ok() && holds());
}

void Consumer::Impl::note_saved(std::uint64_t sequence) noexcept {
  cursor_dropped = cursor_unmade = false;
  const bool all_is_done = sequence == next_sequence - 1 || (!options.filter.matches_all() && sequence >= last_wanted);
  if (!all_is_done) return;
  saved_sequence = sequence;
  saved_delivered = stats.delivered;
  saved_resets = stats.resets;
}

// The named cursor of a consumer whose filter matches nothing must not stand still: what it holds back would grow
// without end. So it moves by itself over what the filter left out, as long as all that was handed out before is saved.
// No answer is waited for.
void Consumer::Impl::save_scanned(std::int64_t now_ns) {
  if (!cursor_taken || has(kResetPending) || now_ns < next_scan_save_ns || answers_owed >= kMaxAnswersOwed) return;
  CursorMessage message = cursor_message(MessageType::save_cursor, cursor());
  if (cursor_unmade) {
    if (not_before_ns) return;
    message.sequence = first_wanted - 1;
    cursor_unmade = false;
  } else if (options.filter.matches_all() || stats.delivered != saved_delivered || stats.resets != saved_resets ||
             message.sequence == saved_sequence) {
    return;
  }
  next_scan_save_ns = now_ns + kScanSaveNs;
  message.header.reserved = scan_question = next_question();
  scan_sequence = message.sequence;
  if (send_message(connection.socket.get(), &message, sizeof message, Deadline::after_ms(0)).ok()) ++answers_owed;
}

}  // namespace leat
