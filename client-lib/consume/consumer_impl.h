// What a Consumer is made of: an event reader at the core, around it the session with the broker and the waiting.
#pragma once

#include <cstdint>
#include <optional>

#include <leat/consumer.h>

#include "base/idle.h"
#include "client-lib/connect/connection.h"
#include "client-lib/consume/broker_session.h"
#include "client-lib/consume/event_descriptor.h"
#include "client-lib/consume/named_cursor.h"
#include "client-lib/consume/stored_bounds.h"
#include "client-lib/read/event_reader.h"
#include "client-lib/read/journal_follower.h"
#include "client-lib/read/look_clock.h"

namespace leat {

/// Polls the reader, and looks, where there is nothing, whether broker and journal are still those that it reads. None
/// of the parts knows of this object: what needs two of them is in here.
struct Consumer::Impl {
 public:
  explicit Impl(ConsumerOptions options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  /// Joins the broker, or, without one, opens the journal.
  Result<void> open();

  Poll poll(EventView& out) {
    if (reader_.take_buffered(out)) [[likely]] {
      return Poll::event;
    }
    return poll_slowly(out);
  }
  Poll wait(EventView& out, std::int64_t timeout_ns);
  Result<int> event_fd() { return descriptor_.open(); }

  /// Default: where the consumer stands by then.
  Result<void> save_cursor(std::optional<Cursor> place = {});
  Result<void> drop_cursor();

  [[nodiscard]] client::EventReader& reader() noexcept { return reader_; }
  [[nodiscard]] bool is_online() noexcept;
  [[nodiscard]] std::uint64_t latest_sequence() noexcept;
  [[nodiscard]] std::uint64_t earliest_sequence() noexcept;

 private:
  Result<void> open_online(client::Connection connected);
  Result<void> open_offline();

  Poll poll_slowly(EventView& out);
  Poll look(EventView& out);
  bool tend();
  bool tend_now(std::int64_t now_ns);
  void look_around() noexcept;
  bool reconnect();
  bool settle_descriptor();
  void sleep(std::int64_t limit_ns);
  Result<void> get_cursor_ready();

  client::EventReader reader_;  // the first: polls touch nothing else
  const ConsumerOptions options_;
  client::BrokerSession session_;
  client::NamedCursor named_cursor_;
  client::JournalFollower follower_;
  client::EventDescriptor descriptor_;
  client::StoredBounds stored_bounds_;
  client::LookClock clock_;
  internal::IdleSpinner spinner_;
  bool at_end_ = false;  // the last Poll::empty was the end of what there is, not of patience with a filter
};

}  // namespace leat
