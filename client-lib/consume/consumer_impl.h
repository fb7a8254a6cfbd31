// What a Consumer holds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <leat/consumer.h>

#include "connect/connection.h"
#include "connect/idle_strategy.h"
#include "consume/places.h"
#include "consume/record_stream.h"
#include "shm/base/idle.h"
#include "shm/broadcast/doorbell.h"

namespace leat {

/// Fills in an EventView from a decoded record.
/// `record`: whole and sane, as RecordBuffer leaves it.
inline void fill_event(EventView& out, const std::byte* record, std::uint64_t epoch) noexcept {
  const shm::RecordHeader& header = shm::header_at(record);
  // All that is needed of it is read first: nothing stored into `out` can change it, which the compiler cannot know.
  const std::size_t length = header.length;
  const std::size_t topic = header.topic_length;
  const std::size_t key = header.key_length;
  const std::size_t message_id = header.message_id_length;
  const std::uint64_t sequence = header.sequence;
  const std::int64_t timestamp_ns = header.timestamp_ns;
  const std::uint64_t producer_sequence = header.producer_sequence;
  const std::uint32_t producer_id = header.producer_id;
  const bool more_in_batch = (header.flags & shm::kFlagMoreInBatch) != 0;
  const char* const fields = reinterpret_cast<const char*>(record) + shm::kRecordHeaderBytes;
  const std::size_t before_payload = topic + key + message_id;
  out.sequence = sequence;
  out.timestamp_ns = timestamp_ns;
  out.producer_sequence = producer_sequence;
  out.producer_id = producer_id;
  out.more_in_batch = more_in_batch;
  out.topic = {fields, topic};
  out.key = {fields + topic, key};
  out.message_id = {fields + topic + key, message_id};
  out.payload = {fields + before_payload, length - shm::kRecordHeaderBytes - before_payload};
  out.cursor = {.epoch = epoch, .sequence = sequence};
}

struct Consumer::Impl {
  ConsumerOptions options;
  client::Endpoint endpoint;
  FeedPaths paths;
  client::Connection connection;
  shm::Mapping ring_mapping;
  shm::Mapping doorbell_mapping;
  shm::DoorbellHeader* doorbell = nullptr;
  shm::ConsumerSlot* slot = nullptr;
  std::uint64_t doorbell_slots = 0;
  std::uint64_t ring_instance = 0;
  std::optional<client::RecordStream> stream;
  std::uint64_t next_sequence = 1;
  std::uint64_t epoch = 0;
  bool reset_pending = false;
  bool error_pending = false;  // poll() has yet to report it
  bool event_fd_armed = false;
  Reset reset;
  Error error;
  std::optional<Error> damage;   ///< of the journal, when it was last looked at without a broker
  std::string lost_told;       // the last one that was reported of an attempt to join a broker
  Ended ended;
  ConsumerStats stats;
  shm::IdleSpinner spinner{shm::IdleStrategy::block, 0, 1};
  std::int64_t next_attempt_ns = 0;
  shm::UniqueFd event_poll;  // the epoll descriptor handed out by event_fd()
  shm::UniqueFd retry_timer;
  Cursor named_place;
  bool cursor_taken = false;  // on this connection

  Result<void> open();
  Result<void> open_online(client::Connection connected);
  Result<void> attach(client::Connection connected, const Start& start);
  shm::UniqueFd open_by_broker(const std::string& name);
  /// One question, one answer on the control connection. Errors: no_broker, timed_out, protocol_error.
  Result<void> ask(const void* message, std::size_t bytes, shm::MessageType type, std::size_t answer_bytes,
                   shm::Received& answer);
  Result<shm::CursorMessage> ask_cursor(shm::MessageType type, std::optional<Cursor> place = {});  // default: cursor()
  [[nodiscard]] Result<void> check_cursor_name() const;
  /// Takes the named cursor for this connection. True: it exists, and named_place is where it stands.
  Result<bool> take_cursor();
  Result<void> open_offline(const Start& start);
  static client::Window window_of(const shm::BroadcastReader& live);
  [[nodiscard]] client::Window window() const { return window_of(*ring()); }
  Result<client::Window> offline_window();
  void take_place(const client::StartPlace& place);
  [[nodiscard]] Cursor cursor() const noexcept { return {.epoch = epoch, .sequence = next_sequence - 1}; }
  [[nodiscard]] const shm::BroadcastReader* ring() const noexcept { return stream ? stream->ring() : nullptr; }

  const Ended& end_at(Poll found);
  Poll poll(EventView& out);
  Poll poll_slowly(EventView& out);
  bool take_event(const std::byte* record, EventView& out) noexcept;
  Poll wrong_record(const shm::RecordView& record);
  Poll take_gap(const shm::RecordView& record);
  Poll expired(bool& again);
  Poll wait(EventView& out, std::int64_t timeout_ns);
  void sleep(std::int64_t limit_ns);
  void report_place() noexcept;

  /// Slow path: joins a broker that has come, or its successor.
  void maintain();
  void reconnect();
  void note_lost(const Error& why);
  Result<int> event_fd();
  Result<void> watch_events();
  bool arm_event_fd();
  void drain_event_fd();
};

}  // namespace leat
