// The fibers of a simulated feed, and what they have seen.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <leat/producer.h>

#include "client-lib/publish/producer_impl.h"
#include "shm/broadcast/broadcast_ring.h"
#include "tests/interleave/scheduler.h"
#include "shm/broadcast/doorbell.h"

namespace leat::sim {

/// One call of publish: an event or a batch.
struct Published {
  std::uint64_t first = 0;  ///< producer_sequence
  std::uint32_t count = 0;
  std::uint64_t begun = 0;
  std::uint64_t returned = 0;       ///< 0: never, its producer was killed
  std::uint64_t told_sequence = 0;  ///< by the receipt; 0: not asked for
};

/// The bytes that event `number` of producer `id` carries: its own name, and as long as its number says.
std::string payload_of(std::uint32_t id, std::uint64_t number, bool in_batch);

/// Counts calls and returns of publish, over all producers: their order in real time.
struct RealTime {
  std::uint64_t now = 0;
  std::uint64_t tick() noexcept { return ++now; }
};

class ProducerRole {
 public:
  ProducerRole(Scheduler& scheduler, RealTime& time, std::uint32_t id, std::uint64_t events, std::uint64_t seed)
      : scheduler_(scheduler), time_(time), id_(id), events_(events), random_(seed) {}

  void attach(std::byte* inbound, std::uint64_t slots, std::uint32_t producers, std::byte* arena,
              std::uint64_t arena_bytes, std::uint64_t ring_bytes);
  void run();
  /// True while it sleeps for a receipt that is there.
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] std::uint64_t open_position() const;  ///< of the entry that publish is at work on
  [[nodiscard]] bool in_publish() const noexcept { return in_publish_; }
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint32_t slot() const noexcept { return id_ - 1; }

  std::vector<Published> published;

 private:
  void publish_one(std::uint64_t number, std::uint32_t count);

  Scheduler& scheduler_;
  RealTime& time_;
  std::uint32_t id_;
  std::uint64_t events_;
  Random random_;
  Producer::Impl* impl_ = nullptr;  // owned by producer_
  std::unique_ptr<Producer> producer_;
  std::string payloads_[2];  // not on the stack of a fiber that may be killed
  bool in_publish_ = false;
  bool waits_for_receipt_ = false;
  std::uint64_t receipt_position_ = 0;
};

struct Received {
  std::uint32_t producer_id;
  std::uint64_t producer_sequence;
};

class ConsumerRole {
 public:
  ConsumerRole(Scheduler& scheduler, std::string name) : scheduler_(scheduler), name_(std::move(name)) {}

  void attach(std::byte* ring, std::uint64_t ring_bytes, internal::DoorbellHeader* doorbell, const std::byte* journal,
              std::uint64_t feed_seed);
  void run();
  [[nodiscard]] std::uint64_t last_sequence() const noexcept { return received.size(); }

  std::vector<Received> received;                 ///< at sequence - 1
  std::map<std::uint64_t, std::uint64_t> places;  ///< what read_latest() said: position -> sequence
  std::uint64_t lapped = 0;

 private:
  void take(std::uint64_t bytes, const char* source);

  Scheduler& scheduler_;
  std::string name_;
  internal::BroadcastReader ring_;
  internal::DoorbellHeader* doorbell_ = nullptr;
  const std::byte* journal_ = nullptr;
  std::uint64_t feed_seed_ = 0;
  std::uint64_t position_ = 0;
  std::vector<std::uint64_t> buffer_;
};

/// Walks the good records in [0, bytes) of `from`; position of its first byte is `position`. Empty if all are good.
template <typename Found>
std::string walk_records(const std::byte* from, std::uint64_t bytes, std::uint64_t position, std::uint64_t feed_seed,
                         Found found) {
  for (std::uint64_t at = 0; at < bytes;) {
    internal::RecordView record;
    if (internal::decode_record(from + at, bytes - at, bytes, record) != internal::Decode::ok ||
        internal::record_checksum(from + at, record.header.length, feed_seed, position + at) !=
            record.header.checksum) {
      return "no good record at position " + std::to_string(position + at);
    }
    at += internal::padded_record_bytes(record.header.length);
    found(position + at, record);
  }
  return {};
}

}  // namespace leat::sim
