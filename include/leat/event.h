// What goes in and what comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <leat/cursor.h>
#include <leat/header.h>

namespace leat {

/// An event to publish. The views need to live only until publish() returns.
struct Event {
  std::string_view topic =
      {};  ///< 1..255 bytes, dot hierarchy, e.g. `session.created`; see topic rules in docs/formats.md
  std::string_view key = {};             ///< 0..255 bytes, the entity, e.g. a session id
  std::string_view message_id = {};      ///< 0..255 bytes, carried to consumers as it is
  std::string_view payload = {};         ///< any bytes; the feed's max_event_bytes bounds the whole record
  bool durable = true;                   ///< false: ephemeral, never enters the feed (publish answers `ephemeral`)
  bool tombstone = false;                ///< what `key` names is gone; such an event has a key, and no payload
  std::span<const Header> headers = {};  ///< up to kMaxHeaders, kMaxHeadersBytes together, no name twice
};

/// An event as a consumer receives it. The views point into the consumer's own buffer and live until its next call.
struct EventView {
  std::uint64_t sequence = 0;           ///< 1-based, contiguous over the life of the feed
  std::int64_t timestamp_ns = 0;        ///< CLOCK_REALTIME; decreases only where it was set back by over 3 h
  std::uint64_t producer_sequence = 0;  ///< 1-based, contiguous per producer_id unless an event was refused
  std::uint32_t producer_id = 0;
  bool more_in_batch = false;  ///< the next event belongs to the same publish_batch
  bool tombstone = false;      ///< what `key` names is gone
  std::string_view topic = {};
  std::string_view key = {};
  std::string_view message_id = {};
  std::string_view payload = {};
  HeaderList headers = {};
  Cursor cursor;  ///< resume with this to get everything after this event
};

}  // namespace leat
