// The place that the broker keeps for a consumer under a name.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <leat/cursor.h>
#include <leat/result.h>

#include "client-lib/consume/broker_dialog.h"
#include "client-lib/read/event_reader.h"

namespace leat::client {

/// The named cursor of one consumer; without a name, nothing. One thread.
class NamedCursor {
 public:
  /// `reader`, `dialog`: outlive this object.
  NamedCursor(std::string name, EventReader& reader, BrokerDialog& dialog);
  NamedCursor(const NamedCursor&) = delete;
  NamedCursor& operator=(const NamedCursor&) = delete;

  [[nodiscard]] bool has_name() const noexcept { return !name_.empty(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// On this connection.
  [[nodiscard]] bool is_taken() const noexcept { return taken_; }
  /// Where it stood when it was taken last, if it existed.
  [[nodiscard]] const Cursor& place() const noexcept { return place_; }

  /// Takes it for this connection. True: it exists. Errors: busy, invalid_argument, permission_denied, ...
  Result<bool> take();
  /// The same, and where another consumer has it, again and again for a moment of at most `patience`.
  Result<bool> take_patiently(std::chrono::nanoseconds patience);
  /// The consumer has joined at `place`.
  void begin_at_place() noexcept { saved_sequence_ = place_.sequence; }
  /// Makes it where the consumer stands; if that waits for a time, once the time has come.
  Result<void> make();
  /// Errors: as take().
  Result<void> save(const Cursor& place);
  Result<void> drop();

  /// The connection is another one: the broker there knows nothing of us.
  void begin_connection() noexcept { taken_ = false; }
  /// Takes it on a new connection to a broker. If another has it by now, save() says so.
  void retake(std::int64_t now_ns);
  /// Now and then, while a broker is there: takes it if need be, and moves it over what the filter left out.
  void tend(std::int64_t now_ns);
  /// For the end: what was looked at and left out is not to be looked at again by whoever comes next.
  void save_scanned_at_once();

 private:
  [[nodiscard]] internal::CursorMessage message(internal::MessageType type, const Cursor& place) const;
  Result<internal::CursorMessage> ask(internal::MessageType type, const Cursor& place);
  void note_saved(std::uint64_t sequence) noexcept;
  void save_scanned(std::int64_t now_ns);
  void take_late_answer(const internal::CursorMessage& said);

  const std::string name_;
  EventReader& reader_;
  BrokerDialog& dialog_;
  Cursor place_;
  bool taken_ = false;
  bool dropped_ = false;  // by drop(): only save() makes it anew
  bool unmade_ = false;   // it is made once the time that is waited for has come, at the reader's first_wanted()
  std::int64_t next_take_ns_ = 0;

  // What the broker has of it covers all that was handed out up to these counts.
  std::uint64_t saved_sequence_ = 0;
  std::uint64_t saved_delivered_ = 0;
  std::uint64_t saved_resets_ = 0;

  // The last question of save_scanned(), and what it said.
  std::int64_t next_scan_save_ns_ = 0;
  std::uint16_t scan_question_ = 0;
  std::uint64_t scan_sequence_ = 0;
};

}  // namespace leat::client
