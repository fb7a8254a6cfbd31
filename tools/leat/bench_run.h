// The measurements of `leat bench`: end to end, through a real broker and a real journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <leat/consumer.h>
#include <leat/producer.h>

namespace leat::tool {

/// Latencies in nanoseconds, sorted.
class Latencies {
 public:
  explicit Latencies(std::vector<std::int64_t> samples_ns);
  /// `fraction` in [0, 1]. 0 if there are no samples.
  [[nodiscard]] std::int64_t at(double fraction) const noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return samples_ns_.size(); }

 private:
  std::vector<std::int64_t> samples_ns_;
};

struct Throughput {
  double published_per_second = 0;  ///< until the last event was in the inbound ring
  double committed_per_second = 0;  ///< until the last event was in journal and broadcast ring
  double delivered_per_second = 0;  ///< until the consumer had it
  std::uint64_t lapped = 0;         ///< times the consumer had to turn to the journal
};

struct Load {
  FeedAddress address;
  std::size_t payload_bytes = 64;
  std::uint64_t events = 0;
  std::size_t batch = 1;
};

/// The floor of any hand-over between two cores and back: one cache line, two threads.
Latencies cache_line_round_trip(std::uint64_t rounds);
/// The floor of anything durable: one 4 KiB block, one fdatasync, in `directory`. Error: io_error.
Result<Latencies> bare_fdatasync(const std::string& directory, std::uint64_t rounds);

/// Publish one event, spin until it is delivered at `level`, again: one thread at both ends, the broker in between, so
/// that two cores are enough.
Result<Latencies> delivery_latency(const Load& load, Level level);
/// Publish one event and wait until it is durable.
Result<Latencies> durable_acknowledgement(const Load& load);
/// One producer thread at full speed, one consumer thread.
Result<Throughput> throughput(const Load& load);
/// One producer at full speed, nobody listens: how fast events go into the ring.
Result<Throughput> into_the_ring(const Load& load);

}  // namespace leat::tool
