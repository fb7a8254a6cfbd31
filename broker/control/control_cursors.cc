// What a consumer may ask for once it has been let in: files of the journal, and its named cursor.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "broker/control/control_server.h"
#include "broker/log.h"
#include "shm/broadcast/broadcast_ring.h"

namespace leat::broker {

using namespace internal;

Result<void> ControlServer::serve_consumer(Client& client, const Received& received) {
  MessageHeader header{};
  if (received.size >= sizeof header) std::memcpy(&header, received.bytes.data(), sizeof header);
  const auto type = static_cast<MessageType>(header.type);
  if (type == MessageType::take_cursor || type == MessageType::save_cursor || type == MessageType::drop_cursor) {
    return serve_cursor(client, received, type);
  }
  return open_file(client, received);
}

// What cannot be done is answered, and the consumer stays; only a message that makes no sense ends the connection.
Result<void> ControlServer::serve_cursor(Client& client, const Received& received, MessageType type) {
  if (auto checked = check_message(received, type, sizeof(CursorMessage)); !checked) return checked;
  CursorMessage ask;
  std::memcpy(&ask, received.bytes.data(), sizeof ask);
  CursorMessage answer{};
  answer.header = make_header(MessageType::cursor_answer, sizeof answer);
  answer.header.reserved = ask.header.reserved;
  Result<void> done;
  if (type != MessageType::take_cursor && client.cursor.empty()) {
    return Error{ErrorCode::protocol_error, "a consumer without a named cursor wants to move or drop one"};
  }
  if (type == MessageType::take_cursor) done = take_cursor(client, ask, answer);
  if (type == MessageType::save_cursor) done = save_cursor(client, ask);
  if (type == MessageType::drop_cursor) {
    done = cursors_.drop(client.cursor, client.peer.uid);
    if (done) spdlog::info("cursor '{}' dropped by '{}' (pid {})", client.cursor, client.name, client.peer.pid);
  }
  if (!done) {
    answer.status = static_cast<std::uint32_t>(done.error().code);
    std::snprintf(answer.text, sizeof answer.text, "%s", done.error().message.c_str());
  }
  return send_message(client.socket.get(), &answer, sizeof answer);
}

Result<void> ControlServer::take_cursor(Client& client, const CursorMessage& ask, CursorMessage& answer) {
  const std::string name(ask.name, ::strnlen(ask.name, sizeof ask.name));
  if (!is_cursor_name(name))
    return Error{ErrorCode::invalid_argument, "bad cursor name: use 1 to 63 of A-Z a-z 0-9 . _ -"};
  const auto taken = std::ranges::find_if(clients_, [&](const auto& entry) {
    return &entry.second != &client && entry.second.cursor == name;
  });
  if (taken != clients_.end()) {
    return Error{ErrorCode::busy, "cursor '" + name + "' is in use by consumer '" + taken->second.name + "' (pid " +
                                      std::to_string(taken->second.peer.pid) + "); stop it or choose another name"};
  }
  Cursor place;
  auto known = cursors_.find(name, client.peer.uid, place);
  if (!known) return known.error();
  if (!*known) {
    if (auto fair = check_cursor_share(client); !fair) return fair;
  }
  client.cursor = name;
  answer.known = *known ? 1 : 0;
  answer.epoch = place.epoch;
  answer.sequence = place.sequence;
  return {};
}

Result<void> ControlServer::save_cursor(const Client& client, const CursorMessage& ask) {
  const std::uint64_t latest =
      BroadcastReader(files_.broadcast.data(), files_.broadcast.spec.capacity).read_latest().sequence;
  if (ask.sequence > latest) {
    return Error{ErrorCode::invalid_argument, "cursor '" + client.cursor + "' cannot be saved at sequence " +
                                                  std::to_string(ask.sequence) + ": the newest event is " +
                                                  std::to_string(latest) + "; save a place that was read"};
  }
  Cursor ignored;
  const auto known = cursors_.find(client.cursor, client.peer.uid, ignored);
  if (known && !*known) {
    if (auto fair = check_cursor_share(client); !fair) return fair;
  }
  return cursors_.save(client.cursor, client.peer.uid, {.epoch = ask.epoch, .sequence = ask.sequence});
}

}  // namespace leat::broker
