#include "broker/control/hello.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "broker/rings/runtime_files.h"
#include "broker/options.h"

namespace leat::broker {

using namespace internal;

namespace {

// A client's name goes into logs and tables: printable ASCII, nothing else.
std::string clean_name(const char* name) {
  std::string text(name, ::strnlen(name, kClientNameBytes));
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

}  // namespace

Result<HelloMessage> read_hello(Connection& connection, const Received& received) {
  if (auto checked = check_message(received, MessageType::hello, sizeof(HelloMessage)); !checked) {
    return checked.error();
  }
  HelloMessage hello;
  std::memcpy(&hello, received.bytes.data(), sizeof hello);
  connection.name = clean_name(hello.name);
  connection.role = static_cast<Role>(hello.role);
  if (connection.role != Role::producer && connection.role != Role::consumer && connection.role != Role::observer) {
    return Error{ErrorCode::protocol_error, "unknown role " + std::to_string(hello.role),
                 "use broker and clients of one release"};
  }
  return hello;
}

WelcomeMessage make_welcome(const SessionParts& parts, Role role) {
  const RuntimeFiles& files = parts.files;
  WelcomeMessage welcome{};
  welcome.header = make_header(MessageType::welcome, sizeof welcome);
  welcome.instance = role == Role::producer ? files.inbound.spec.instance : files.broadcast.spec.instance;
  welcome.max_record_bytes = max_record_bytes(parts.options);
  welcome.max_batch_bytes = max_batch_bytes(parts.options);
  welcome.broker_life = parts.broker_life;
  welcome.broker_pid = ::getpid();
  welcome.feed_uuid = files.inbound.spec.feed_uuid;
  welcome.inbound_slots = static_cast<std::uint32_t>(files.inbound.spec.capacity);
  welcome.max_producers = files.producer_slots();
  welcome.consumer_slots = files.consumer_slots();
  return welcome;
}

void send_refusal(const SessionParts& parts, const Connection& connection, const Error& error) {
  WelcomeMessage answer = make_welcome(parts, connection.role);
  answer.status = static_cast<std::uint32_t>(error.code);
  answer.advice_at = put_error_text(error, answer.text);
  (void)send_message(connection.socket.get(), &answer, sizeof answer).ok();
}

}  // namespace leat::broker
