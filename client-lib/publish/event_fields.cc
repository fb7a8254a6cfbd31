#include "client-lib/publish/event_fields.h"

#include <algorithm>
#include <string>

#include "base/quantity.h"
#include "record/headers.h"

namespace leat::client {

using namespace internal;

namespace {

Error bad(std::string what, std::string_view advice = {}) {
  return {ErrorCode::invalid_argument, "bad field: " + std::move(what), advice};
}

Result<void> check_headers(std::span<const Header> headers) {
  if (headers.size() > kMaxHeaders) {
    return bad(std::to_string(headers.size()) + " headers, at most " + std::to_string(kMaxHeaders) + " are carried");
  }
  std::size_t bytes = 0;
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    if (!header_name_is_valid(header->name)) {
      return bad("header " + quoted_text(header->name) + " is no name: 1 to 255 printable ASCII bytes without blanks");
    }
    if (std::find_if(headers.begin(), header, [&](const Header& h) { return h.name == header->name; }) != header) {
      return bad("header " + quoted_text(header->name) + " stands there twice", "give it once");
    }
    bytes += header->name.size() + header->value.size();
  }
  if (bytes > kMaxHeadersBytes) {
    return bad("names and values of the headers take " + std::to_string(bytes) + " bytes, at most " +
                   std::to_string(kMaxHeadersBytes) + " are carried",
               "put what is long into the payload");
  }
  return {};
}

}  // namespace

bool extras_are_valid(const Event& event, std::size_t payload_bytes) noexcept {
  return headers_are_valid(event.headers) && (!event.tombstone || (!event.key.empty() && payload_bytes == 0));
}

Result<void> check_fields(const Event& event) {
  if (event.key.size() > kMaxKeyBytes || event.message_id.size() > kMaxMessageIdBytes) {
    return bad(std::string(event.key.size() > kMaxKeyBytes ? "key" : "message id") + " over 255 bytes", "shorten it");
  }
  if (event.tombstone && event.key.empty()) return bad("a tombstone without key", "give the key that is deleted");
  if (event.tombstone && !event.payload.empty()) return bad("a tombstone with a payload", "leave the payload out");
  return check_headers(event.headers);
}

}  // namespace leat::client
