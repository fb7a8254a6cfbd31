// Looking at a running feed: what `leat stat` shows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <leat/feed_address.h>
#include <leat/result.h>

namespace leat {

struct ProducerStatus {
  std::uint32_t slot = 0;
  std::uint32_t producer_id = 0;
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::string name;
  std::string state;                    ///< connected, adopted (after a broker restart), leaving, revoked
  std::uint64_t events = 0;             ///< committed
  std::uint64_t refused = 0;            ///< entries the broker refused
  std::uint64_t would_block_arena = 0;  ///< attempts refused because the arena was full
  std::uint64_t would_block_ring = 0;   ///< attempts refused because the inbound ring was full
  std::uint64_t retried_tickets = 0;    ///< tickets skipped under a slow producer, taken anew
  std::uint64_t arena_bytes = 0;
  std::uint64_t arena_used_bytes = 0;
};

struct ConsumerStatus {
  std::uint32_t slot = 0;
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::string name;
  std::uint64_t sequence = 0;    ///< last event it was about to hand out
  std::uint64_t lag_events = 0;  ///< newest sequence minus that
  std::uint64_t lag_bytes = 0;   ///< in the journal's string
  std::uint64_t lapped = 0;
  std::uint64_t resets = 0;
};

/// One look at a feed. Counters only grow within one incarnation of the broker.
struct FeedStatus {
  std::string feed;
  std::string feed_uuid;
  std::uint64_t epoch = 0;
  std::uint64_t broker_life = 0;  ///< counts the brokers that have served these rings
  std::int32_t broker_pid = 0;
  std::string state;  ///< running, stalled (no segment: disk full?), failed, stopped
  std::uint64_t earliest_sequence = 0;
  std::uint64_t latest_sequence = 0;
  std::uint64_t durable_sequence = 0;
  std::uint64_t earliest_position = 0;
  std::uint64_t committed_position = 0;
  std::uint64_t durable_position = 0;
  std::uint64_t events = 0;           ///< sequenced in this incarnation
  std::uint64_t bytes = 0;            ///< appended in this incarnation
  std::uint64_t rounds = 0;           ///< commits: events / rounds is the batching
  std::uint64_t refused_entries = 0;  ///< valid ticket, invalid entry
  std::uint64_t bad_tickets = 0;      ///< tickets that name nothing valid
  std::uint64_t skipped_tickets = 0;  ///< claimed, never filled in time
  std::uint64_t ring_repairs = 0;     ///< the inbound tail made no sense and was set right
  std::uint64_t stalls = 0;           ///< rounds held up for want of a prepared segment
  std::uint64_t wakeups = 0;          ///< futex wakes of sleeping consumers
  std::uint64_t refused_connections = 0;
  std::uint64_t segments = 0;       ///< journal segments on disk, with the current one
  std::uint64_t segment_bytes = 0;  ///< size of a new one; older ones may have another, of an earlier --segment-bytes
  std::uint64_t journal_bytes = 0;  ///< all segments together, as large as they are
  std::uint64_t lost_segments = 0;  ///< removed by somebody else while the feed was served
  std::uint64_t recycled_segments = 0;
  std::uint64_t pruned_segments = 0;
  std::uint64_t syncs = 0;
  std::uint64_t last_sync_ns = 0;  ///< duration of the last fdatasync
  std::uint64_t max_sync_ns = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t inbound_slots = 0;
  std::vector<ProducerStatus> producers;
  std::vector<ConsumerStatus> consumers;
};

/// An observer's connection. Move-only; one thread at a time. In a child after fork() it only says used_after_fork.
class FeedObserver {
 public:
  /// Errors as Consumer::connect. Needs the right to subscribe.
  static Result<FeedObserver> connect(const FeedAddress& address);
  FeedObserver(FeedObserver&&) noexcept;
  FeedObserver& operator=(FeedObserver&&) noexcept;
  ~FeedObserver();

  /// Asks the broker to refresh its tables and reads them; connects again if that broker has gone meanwhile. Errors:
  /// no_broker when there is none, timed_out after five seconds, used_after_fork, and those of connect().
  Result<FeedStatus> read();

 private:
  struct Impl;
  explicit FeedObserver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace leat
