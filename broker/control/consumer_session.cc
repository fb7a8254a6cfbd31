#include "broker/control/consumer_session.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include <leat/cursor.h>

#include "base/check.h"
#include "base/event_fd.h"
#include "broker/control/hello.h"
#include "broker/control/roster.h"
#include "broker/control/status_rows.h"
#include "broker/control/user_shares.h"
#include "broker/rings/runtime_files.h"
#include "broker/log.h"
#include "broker/log_gate.h"
#include "broker/storage/cursor_table.h"
#include "journal/format/cursor_file.h"
#include "journal/format/segment_layout.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/broadcast/broadcast_ring.h"

namespace leat::broker {

using namespace internal;

namespace {

ConsumerSlot& doorbell_slot(const RuntimeFiles& files, std::uint32_t slot) {
  return reinterpret_cast<ConsumerSlot*>(files.doorbell.data() + kConsumerSlotsOffset)[slot];
}

}  // namespace

ConsumerSession::ConsumerSession(const SessionParts& parts, const Connection& connection, std::uint32_t slot,
                                 UniqueFd event_fd, UniqueFd directory)
    : Session(parts, connection), slot_(slot), event_fd_(std::move(event_fd)), directory_(std::move(directory)) {
  LEAT_ASSERT(connection.role == Role::consumer && event_fd_.valid() && directory_.valid());
  parts_.roster.enter(*this, slot_);
  ConsumerSlot& bell = doorbell_slot(parts_.files, slot_);
  bell.position.store(0, std::memory_order_relaxed);
  bell.sequence.store(0, std::memory_order_relaxed);
  bell.lapped.store(0, std::memory_order_relaxed);
  bell.resets.store(0, std::memory_order_relaxed);
  bell.armed.store(0, std::memory_order_relaxed);
  parts_.rows.show_consumer(slot_, connection_);
}

ConsumerSession::~ConsumerSession() { parts_.roster.leave(*this, slot_); }

Result<std::unique_ptr<ConsumerSession>> ConsumerSession::admit(const SessionParts& parts,
                                                                const Connection& connection) {
  const auto slot = parts.roster.free_consumer_slot();
  if (!slot) {
    return Error{ErrorCode::busy,
                 "all " + std::to_string(parts.roster.consumers().size()) + " consumer slots are taken",
                 "close some consumers or raise --max-consumers"};
  }
  if (auto fair = parts.shares.check_consumer(connection.peer); !fair) return fair.error();
  UniqueFd event_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_fd.valid()) return system_error(errno, "eventfd");
  // Opened anew for each consumer: a shared one would have one read offset for all that list the directory.
  UniqueFd directory(::openat(parts.journal_directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return system_error(errno, "opening the journal's directory");
  return std::unique_ptr<ConsumerSession>(
      new ConsumerSession(parts, connection, *slot, std::move(event_fd), std::move(directory)));
}

Result<void> ConsumerSession::welcome() {
  if (parts_.admission_gate.pass()) {
    log::info("consumer '{}' (pid {}, uid {}) connected{}", connection_.name, connection_.peer.pid,
              connection_.peer.uid, parts_.admission_gate.left_out());
  }
  WelcomeMessage welcome = make_welcome(parts_, Role::consumer);
  welcome.slot = slot_;
  const UniqueFd directory = std::move(directory_);
  const int fds[] = {parts_.files.broadcast.read_only.get(), parts_.files.doorbell.fd.get(), directory.get(),
                     event_fd_.get()};
  return send_message(connection_.socket.get(), &welcome, sizeof welcome, fds);
}

void ConsumerSession::give_back() { parts_.rows.clear_consumer(slot_); }

void ConsumerSession::ring_if_armed() const {
  auto& armed = doorbell_slot(parts_.files, slot_).armed;
  // A load first: an exchange takes the line away from a consumer that keeps its place there. What is missed by it
  // was armed after the wake-up that brought us here, and brings another.
  if (armed.load(std::memory_order_seq_cst) == 0) return;
  if (armed.exchange(0, std::memory_order_seq_cst) == 0) return;
  make_readable(event_fd_.get());
}

Result<void> ConsumerSession::serve(const Received& received) {
  MessageHeader header{};
  if (received.size >= sizeof header) std::memcpy(&header, received.bytes.data(), sizeof header);
  const auto type = static_cast<MessageType>(header.type);
  if (type == MessageType::take_cursor || type == MessageType::save_cursor || type == MessageType::drop_cursor) {
    return serve_cursor(received, type);
  }
  return open_file(received);
}

// A consumer may be another user, to whom the journal's directory is closed: it gets descriptors, as for the rings.
Result<void> ConsumerSession::open_file(const Received& received) {
  if (auto checked = check_message(received, MessageType::open_file, sizeof(OpenFileMessage)); !checked) return checked;
  OpenFileMessage ask;
  std::memcpy(&ask, received.bytes.data(), sizeof ask);
  const std::string name(ask.name, ::strnlen(ask.name, sizeof ask.name));
  if (name != kIdentityFileName && !SegmentName::parse(name)) {
    return Error{ErrorCode::protocol_error, "a consumer asked for a file that is neither a segment nor the identity"};
  }
  const UniqueFd file(::openat(parts_.journal_directory_fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  FileOpenedMessage answer{};
  answer.header = make_header(MessageType::file_opened, sizeof answer);
  answer.header.reserved = ask.header.reserved;
  answer.status = file.valid() ? 0 : static_cast<std::uint32_t>(errno);
  const int fds[] = {file.get()};
  return send_message(connection_.socket.get(), &answer, sizeof answer,
                      file.valid() ? std::span<const int>(fds) : std::span<const int>());
}

// What cannot be done is answered, and the consumer stays; only a message that makes no sense ends the connection.
Result<void> ConsumerSession::serve_cursor(const Received& received, MessageType type) {
  if (auto checked = check_message(received, type, sizeof(CursorMessage)); !checked) return checked;
  CursorMessage ask;
  std::memcpy(&ask, received.bytes.data(), sizeof ask);
  CursorMessage answer{};
  answer.header = make_header(MessageType::cursor_answer, sizeof answer);
  answer.header.reserved = ask.header.reserved;
  Result<void> done;
  if (type != MessageType::take_cursor && cursor_.empty()) {
    return Error{ErrorCode::protocol_error, "a consumer without a named cursor wants to move or drop one"};
  }
  if (type == MessageType::take_cursor) done = take_cursor(ask, answer);
  if (type == MessageType::save_cursor) done = save_cursor(ask);
  if (type == MessageType::drop_cursor) {
    done = parts_.cursors.drop(cursor_, connection_.peer.uid);
    if (done) log::info("cursor '{}' dropped by '{}' (pid {})", cursor_, connection_.name, connection_.peer.pid);
  }
  if (!done) {
    answer.status = static_cast<std::uint32_t>(done.error().code);
    answer.known = put_error_text(done.error(), answer.text);
  }
  return send_message(connection_.socket.get(), &answer, sizeof answer);
}

Result<void> ConsumerSession::take_cursor(const CursorMessage& ask, CursorMessage& answer) {
  const std::string name(ask.name, ::strnlen(ask.name, sizeof ask.name));
  if (!is_cursor_name(name))
    return Error{ErrorCode::invalid_argument, "bad cursor name", "use 1 to 63 of A-Z a-z 0-9 . _ -",
                 Error::Join::colon};
  const ConsumerSession* holder = parts_.roster.find_holder_of(name);
  if (holder != nullptr && holder != this) {
    const Connection& other = holder->connection();
    return Error{ErrorCode::busy,
                 "cursor '" + name + "' is in use by consumer '" + other.name + "' (pid " +
                     std::to_string(other.peer.pid) + ")",
                 "stop it or choose another name"};
  }
  Cursor place;
  auto known = parts_.cursors.find(name, connection_.peer.uid, place);
  if (!known) return known.error();
  if (!*known) {
    if (auto fair = parts_.shares.check_cursor(connection_.peer); !fair) return fair;
  }
  cursor_ = name;
  answer.known = *known ? 1 : 0;
  answer.epoch = place.epoch;
  answer.sequence = place.sequence;
  return {};
}

Result<void> ConsumerSession::save_cursor(const CursorMessage& ask) {
  LEAT_ASSERT(!cursor_.empty());
  const SharedFile& ring = parts_.files.broadcast;
  const std::uint64_t latest = BroadcastReader(ring.data(), ring.spec.capacity).read_latest().sequence;
  if (ask.sequence > latest) {
    return Error{ErrorCode::invalid_argument,
                 "cursor '" + cursor_ + "' cannot be saved at sequence " + std::to_string(ask.sequence) +
                     ": the newest event is " + std::to_string(latest),
                 "save a place that was read"};
  }
  Cursor ignored;
  const auto known = parts_.cursors.find(cursor_, connection_.peer.uid, ignored);
  if (known && !*known) {
    if (auto fair = parts_.shares.check_cursor(connection_.peer); !fair) return fair;
  }
  return parts_.cursors.save(cursor_, connection_.peer.uid, {.epoch = ask.epoch, .sequence = ask.sequence});
}

}  // namespace leat::broker
