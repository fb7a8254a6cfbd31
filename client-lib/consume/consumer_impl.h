// What a Consumer holds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <leat/consumer.h>

#include "client-lib/connect/connection.h"
#include "client-lib/connect/idle_strategy.h"
#include "client-lib/consume/places.h"
#include "client-lib/read/record_stream.h"
#include "base/idle.h"
#include "base/process_mark.h"
#include "shm/broadcast/doorbell.h"

namespace leat {

/// Fills in an EventView from a decoded record.
/// `record`: whole and sane, as RecordBuffer leaves it.
inline void fill_event(EventView& out, const std::byte* record, std::uint64_t epoch) noexcept {
  const internal::RecordHeader& header = internal::header_at(record);
  // All that is needed of it is read first: nothing stored into `out` can change it, which the compiler cannot know.
  const std::size_t length = header.length;
  const std::size_t topic = header.topic_length;
  const std::size_t key = header.key_length;
  const std::size_t message_id = header.message_id_length;
  const std::uint64_t sequence = header.sequence;
  const std::int64_t timestamp_ns = header.timestamp_ns;
  const std::uint64_t producer_sequence = header.producer_sequence;
  const std::uint32_t producer_id = header.producer_id;
  const bool more_in_batch = (header.flags & internal::kFlagMoreInBatch) != 0;
  const char* const fields = reinterpret_cast<const char*>(record) + internal::kRecordHeaderBytes;
  const std::size_t before_payload = topic + key + message_id;
  out.sequence = sequence;
  out.timestamp_ns = timestamp_ns;
  out.producer_sequence = producer_sequence;
  out.producer_id = producer_id;
  out.more_in_batch = more_in_batch;
  out.topic = {fields, topic};
  out.key = {fields + topic, key};
  out.message_id = {fields + topic + key, message_id};
  out.payload = {fields + before_payload, length - internal::kRecordHeaderBytes - before_payload};
  out.cursor = {.epoch = epoch, .sequence = sequence};
}

struct Consumer::Impl {
  ConsumerOptions options;
  client::Endpoint endpoint;
  FeedPaths paths;
  bool joins_brokers = true;  ///< false: reads a journal, whoever serves it
  internal::ProcessOwner owner;
  client::Connection connection;
  internal::Mapping ring_mapping;
  internal::Mapping doorbell_mapping;
  internal::DoorbellHeader* doorbell = nullptr;
  internal::ConsumerSlot* slot = nullptr;
  std::uint64_t doorbell_slots = 0;
  std::uint64_t ring_instance = 0;
  std::optional<client::RecordStream> stream;
  std::optional<client::RecordStream> old_stream;  // holds the bytes of the event that was handed out last
  std::uint64_t next_sequence = 1;
  std::uint64_t epoch = 0;

  // Why poll() may not take the next event straight from the buffer. 0: it may.
  enum Obstacle : std::uint32_t {
    kEventFdArmed = 1,  // the broker was asked to write our eventfd
    kErrorPending = 2,  // poll() has yet to report it
    kResetPending = 4,
    kSelective = 8,  // there is a filter, or a time that is waited for
    kNotWiped = 16,  // a fork's child finds the parent's buffer: each poll asks whose it is
  };
  std::uint32_t obstacles = internal::pages_are_wiped() ? 0U : std::uint32_t{kNotWiped};
  [[nodiscard]] bool has(Obstacle obstacle) const noexcept { return (obstacles & obstacle) != 0; }
  void set(Obstacle obstacle, bool there) noexcept {
    obstacles = there ? obstacles | obstacle : obstacles & ~static_cast<std::uint32_t>(obstacle);
  }

  bool waits_for_time = false;                ///< at the start no event had come to that time yet
  std::optional<std::int64_t> not_before_ns;  ///< no event is wanted until one of this time or later has come
  bool at_end =
      false;  ///< the last Poll::empty was the end of what there is, not of the caller's patience with a filter
  bool blocked = false;  ///< there is more, but only a broker can open it for us
  Reset reset;
  Error error;
  Ended ended;
  internal::FeedUuid journal_uuid = {};
  std::uint64_t last_position = 0;  // without a broker: of the record read last,
  std::uint64_t last_checksum = 0;  // which is still to be there; 0: none was read yet
  std::optional<Error> damage;      ///< of the journal, when it was last looked at without a broker
  // What keeps us from going on, since when, and what of it poll() has reported.
  struct Trouble {
    ErrorCode code = ErrorCode::ok;
    std::int64_t since_ns = 0;
    std::string told;
  };
  Trouble broker_trouble;
  Trouble journal_trouble;
  ConsumerStats stats;
  internal::IdleSpinner spinner{internal::IdleStrategy::block, 0, 1};

  std::uint32_t looks_until_clock = 1;
  std::int64_t last_clock_ns = 0;
  std::int64_t next_tend_ns = 0;
  std::int64_t next_attempt_ns = 0;
  std::int64_t next_journal_look_ns = 0;
  std::int64_t next_take_ns = 0;

  internal::UniqueFd event_poll;   // the epoll descriptor handed out by event_fd()
  internal::UniqueFd retry_timer;  // in its set
  std::int64_t offline_seen_ns = 0;
  std::optional<client::Window> offline_seen;

  Cursor named_place;
  bool cursor_taken = false;    // on this connection
  bool cursor_dropped = false;  // by drop_cursor(): only save_cursor() makes it anew
  bool cursor_unmade = false;   // it is made once the time that is waited for has come, at first_wanted
  std::uint64_t first_wanted = 0;
  // What the broker has of the named cursor covers all that was handed out up to these counts.
  std::uint64_t saved_sequence = 0;
  std::uint64_t saved_delivered = 0;
  std::uint64_t last_wanted = 0;  ///< the last event that passed the filter, if there is one
  std::uint64_t saved_resets = 0;
  std::int64_t next_scan_save_ns = 0;
  std::uint64_t answers_owed = 0;  // by the broker, to questions whose answers nobody waits for
  std::uint16_t last_question = 0;
  std::uint16_t scan_question = 0;  // the last of save_scanned(), and what it told
  std::uint64_t scan_sequence = 0;

  Result<void> open();
  [[nodiscard]] Result<void> check_options() const;
  Result<void> open_online(client::Connection connected);
  Result<void> attach(client::Connection connected, const Start& start);
  internal::UniqueFd open_by_broker(const std::string& name);
  /// One question, one answer on the control connection. Errors: no_broker, timed_out, protocol_error.
  Result<void> ask(internal::MessageHeader& message, internal::MessageType answer_type, std::size_t answer_bytes,
                   internal::Received& answer);
  bool take_late_answer();
  std::uint16_t next_question() noexcept;
  Result<internal::CursorMessage> ask_cursor(internal::MessageType type,
                                             std::optional<Cursor> place = {});  // default: cursor()
  [[nodiscard]] internal::CursorMessage cursor_message(internal::MessageType type, Cursor place) const;
  [[nodiscard]] bool is_of_this_feed(const Cursor& place);
  void note_saved(std::uint64_t sequence) noexcept;
  void save_scanned(std::int64_t now_ns);
  [[nodiscard]] Result<void> check_cursor_name() const;
  /// Takes the named cursor for this connection. True: it exists, and named_place is where it stands.
  Result<bool> take_cursor();
  Result<bool> take_cursor_patiently();
  Result<void> open_offline(const Start& start);
  [[nodiscard]] client::Window window() { return client::window_of(*ring(), stream->files()); }
  Result<client::Window> offline_window();
  void take_place(const client::StartPlace& place);
  [[nodiscard]] Cursor cursor() const noexcept { return {.epoch = epoch, .sequence = next_sequence - 1}; }
  [[nodiscard]] const internal::BroadcastReader* ring() const noexcept { return stream ? stream->ring() : nullptr; }
  ~Impl();
  void use_filter() noexcept { set(kSelective, not_before_ns.has_value() || !options.filter.matches_all()); }

  /// An error in a process that is not the one that connected; else nothing.
  [[nodiscard]] Result<void> check_owner() const;
  [[nodiscard]] std::uint64_t latest_sequence() noexcept;
  [[nodiscard]] std::uint64_t earliest_sequence() noexcept;
  [[nodiscard]] client::Window look_offline();

  const Ended& end_at(Poll found);
  Poll poll(EventView& out);
  Poll poll_slowly(EventView& out);
  Poll look(EventView& out);
  Poll look_elsewhere(EventView& out, bool& again);
  Poll take_record(const internal::RecordView& record, EventView& out, bool& again);
  Poll wait_for_broker(bool& again);
  Poll take_pending();
  void count_event(const std::byte* record, EventView& out) noexcept;
  bool is_wanted(const EventView& event) noexcept;
  Poll wrong_record(const internal::RecordView& record);
  Poll take_gap(const internal::RecordView& record);
  Poll expired(bool& again);
  Poll wait(EventView& out, std::int64_t timeout_ns);
  void sleep(std::int64_t limit_ns);
  void report_place() noexcept;

  /// For where poll() finds nothing: now and then looks whether broker and journal are still those that we read. True:
  /// something has changed, so look again.
  bool tend();
  bool tend_now(std::int64_t now_ns);
  /// The same for calls that are no poll: what was handed out stays readable.
  void look_around() noexcept;
  [[nodiscard]] bool broker_has_gone();
  [[nodiscard]] bool is_served();
  [[nodiscard]] bool is_online() noexcept;
  bool reconnect();
  bool follow_journal();
  [[nodiscard]] Result<bool> is_another_journal();
  Result<void> go_on_in(internal::JournalFiles files);
  Result<client::StartPlace> find_place_offline(const Start& start);
  void replace_stream(client::RecordStream fresh);
  void note_lost(const Error& why);
  enum class Told : std::uint8_t { once, again };
  bool note_trouble(Trouble& trouble, const Error& why, Told told);

  Result<int> event_fd();
  Result<void> watch_events();
  void unwatch_events() noexcept;
  void make_readable() noexcept;
  void start_retry_timer(bool at_once) noexcept;
  bool settle_event_fd();
};

}  // namespace leat
