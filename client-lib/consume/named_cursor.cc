#include "client-lib/consume/named_cursor.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/deadline.h"

namespace leat::client {

using namespace internal;

namespace {
constexpr std::int64_t kScanSaveNs = 500 * kNanosPerMilli;  ///< as often as the broker writes cursors down
constexpr std::int64_t kRetakeNs = kNanosPerSecond;
constexpr auto kBusyPatience =
    std::chrono::milliseconds(300);  ///< for the broker to hear of the end of who had the cursor
constexpr auto kBusyPause = std::chrono::milliseconds(10);
}  // namespace

NamedCursor::NamedCursor(std::string name, EventReader& reader, BrokerDialog& dialog)
    : name_(std::move(name)), reader_(reader), dialog_(dialog) {
  dialog_.on_late_answer([this](const CursorMessage& said) { take_late_answer(said); });
}

CursorMessage NamedCursor::message(MessageType type, const Cursor& place) const {
  CursorMessage message{};
  message.header = make_header(type, sizeof message);
  name_.copy(message.name, sizeof message.name - 1);
  message.epoch = place.epoch;
  message.sequence = place.sequence;
  return message;
}

Result<CursorMessage> NamedCursor::ask(MessageType type, const Cursor& place) {
  LEAT_ASSERT(has_name());
  CursorMessage question = message(type, place);
  Received received;
  if (auto asked = dialog_.ask(question.header, MessageType::cursor_answer, sizeof(CursorMessage), received); !asked) {
    return asked.error();
  }
  CursorMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status != 0) return take_error_text(answer.status, answer.text, answer.known);
  return answer;
}

Result<bool> NamedCursor::take() {
  if (auto ours = reader_.check_owner(); !ours) return ours.error();
  taken_ = false;
  auto answer = ask(MessageType::take_cursor, reader_.cursor());
  if (!answer) return answer.error();
  taken_ = true;
  place_ = {.epoch = answer->epoch, .sequence = answer->sequence};
  return answer->known == 1;
}

// Who had the cursor may have ended just now, as at a restart: the broker has yet to hear of it.
Result<bool> NamedCursor::take_patiently(std::chrono::nanoseconds patience) {
  const Deadline deadline = Deadline::after(std::min<std::chrono::nanoseconds>(patience, kBusyPatience));
  for (;;) {
    auto known = take();
    if (known.ok() || known.error().code != ErrorCode::busy || deadline.has_passed()) return known;
    std::this_thread::sleep_for(kBusyPause);
  }
}

// A cursor that were made while a time is waited for would go on, at the next start, with events before it.
Result<void> NamedCursor::make() {
  LEAT_ASSERT(taken_);
  unmade_ = reader_.began_before_its_time();
  return unmade_ ? Result<void>{} : save(reader_.cursor());
}

Result<void> NamedCursor::save(const Cursor& place) {
  LEAT_ASSERT(taken_);
  auto saved = ask(MessageType::save_cursor, place);
  if (!saved) return saved.error();
  note_saved(place.sequence);
  LEAT_ASSERT(!dropped_ && !unmade_);
  return {};
}

Result<void> NamedCursor::drop() {
  LEAT_ASSERT(taken_);
  auto dropped = ask(MessageType::drop_cursor, reader_.cursor());
  if (!dropped) return dropped.error();
  taken_ = false;
  dropped_ = true;
  return {};
}

void NamedCursor::note_saved(std::uint64_t sequence) noexcept {
  dropped_ = unmade_ = false;
  const bool all_is_done =
      sequence == reader_.cursor().sequence || (reader_.has_filter() && sequence >= reader_.last_wanted());
  if (!all_is_done) return;
  saved_sequence_ = sequence;
  saved_delivered_ = reader_.stats().delivered;
  saved_resets_ = reader_.stats().resets;
}

void NamedCursor::retake(std::int64_t now_ns) {
  if (!has_name()) return;
  next_take_ns_ = now_ns + kRetakeNs;
  (void)take().ok();
}

void NamedCursor::tend(std::int64_t now_ns) {
  if (!taken_ && !dropped_ && now_ns >= next_take_ns_) retake(now_ns);
  save_scanned(now_ns);
}

void NamedCursor::save_scanned_at_once() {
  next_scan_save_ns_ = 0;
  save_scanned(monotonic_ns());
}

// The named cursor of a consumer whose filter matches nothing must not stand still: what it holds back would grow
// without end. So it moves by itself over what the filter left out, as long as all that was handed out before is saved.
// No answer is waited for.
void NamedCursor::save_scanned(std::int64_t now_ns) {
  if (!taken_ || reader_.has_pending_reset() || now_ns < next_scan_save_ns_ || dialog_.is_behind()) return;
  CursorMessage question = message(MessageType::save_cursor, reader_.cursor());
  if (unmade_) {
    if (reader_.waits_for_time()) return;
    question.sequence = reader_.first_wanted() - 1;
    unmade_ = false;
  } else if (!reader_.has_filter() || reader_.stats().delivered != saved_delivered_ ||
             reader_.stats().resets != saved_resets_ || question.sequence == saved_sequence_) {
    return;
  }
  next_scan_save_ns_ = now_ns + kScanSaveNs;
  scan_sequence_ = question.sequence;
  scan_question_ = dialog_.post(question.header);
}

void NamedCursor::take_late_answer(const CursorMessage& said) {
  if (said.header.reserved != scan_question_) return;
  if (said.status == 0) {
    saved_sequence_ = std::max(saved_sequence_, scan_sequence_);
  } else {
    taken_ = false;  // taken anew before long, or save() says why not
  }
}

}  // namespace leat::client
