// A producer made of the shared-memory primitives, so that it can die or stop between any two of them.
#pragma once

#include <string>

#include "client-lib/connect/connection.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"
#include "record/record.h"

namespace leat::test {

class RawProducer {
 public:
  /// Ends the process on failure.
  explicit RawProducer(const FeedAddress& address);

  /// Encodes an event in the arena and returns what a slot must say for it.
  std::uint64_t encode(const Event& event);
  /// The event has its ticket: the next one goes behind it.
  void advance();
  [[nodiscard]] int arena_fd() const { return connection_.fds.at(1).get(); }

  internal::InboundProducer inbound;
  internal::ArenaWriter arena;

 private:
  client::Connection connection_;
  internal::Mapping inbound_mapping_;
  internal::Mapping arena_mapping_;
  std::uint64_t next_producer_sequence_ = 1;
  std::uint64_t record_bytes_ = 0;
};

}  // namespace leat::test
