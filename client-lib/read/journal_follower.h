// Following a journal without a broker.
#pragma once

#include <cstdint>

#include <leat/result.h>

#include "client-lib/read/event_reader.h"
#include "client-lib/read/trouble.h"

namespace leat::client {

/// Without a broker nobody says what becomes of the journal: somebody may move it away, put it back, or begin another
/// in its place. The follower looks, now and then, whether the journal's name leads to what its reader reads.
/// One thread.
class JournalFollower {
 public:
  /// `reader`: outlives this object.
  explicit JournalFollower(EventReader& reader) noexcept : reader_(reader) {}

  /// For a reader without a ring. True: there is something new to report or to read.
  bool follow(std::int64_t now_ns);
  /// The next follow() looks, however short ago the last one was.
  void look_at_once() noexcept { next_look_ns_ = 0; }
  /// Something keeps the journal from being read; it is reported if it lasts.
  [[nodiscard]] bool is_in_trouble() const noexcept { return trouble_.is_there(); }
  /// A broker has come, which knows what it serves.
  void forget_trouble() noexcept { trouble_.clear(); }

 private:
  bool look();
  bool note(const Error& why);
  Result<bool> is_another_journal();
  Result<bool> is_still_what_was_read();

  EventReader& reader_;
  Trouble trouble_;
  std::int64_t next_look_ns_ = 0;
};

}  // namespace leat::client
