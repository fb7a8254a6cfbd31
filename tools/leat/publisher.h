// Publishing many events without waiting for each: what `leat pub --lines` and `--ndjson` do.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include <leat/producer.h>

namespace leat::tool {

struct PublisherTotals {
  std::uint64_t published = 0;       ///< accepted, and not refused since
  std::uint64_t acknowledged = 0;    ///< at the level asked for
  std::uint64_t refused = 0;         ///< by the library or by the broker
  std::uint64_t ephemeral = 0;       ///< durable=false: by request not published
  std::uint64_t first_sequence = 0;  ///< 0: none known
  std::uint64_t last_sequence = 0;
};

/// What bounds an event of this producer: "524224 bytes that fit into half of a producer's arena".
struct EventBound {
  std::string text;
  std::string advice;  ///< what raises it
};
EventBound event_bound(const Producer& producer);

/// A producer with a bounded number of receipts outstanding, collected in order. It waits for room and receipts in
/// short slices, so that it can act on a stop signal. One thread.
class Publisher {
 public:
  /// How often the producer's own waits return: give it as ProducerOptions::publish_timeout.
  static constexpr std::chrono::milliseconds kPublishSlice{100};

  /// Both get the number that publish() was given, in the order of publishing. `refused`: the error, for each
  /// event that the broker refused after it had been accepted. `reached` (may be empty; not for Ack::accepted): the
  /// sequence, for each event that has come to the level asked for.
  using Refused = std::function<void(std::uint64_t number, const Error& error)>;
  using Reached = std::function<void(std::uint64_t number, std::uint64_t sequence)>;

  Publisher(Producer& producer, Ack level, std::chrono::nanoseconds timeout, Refused refused, Reached reached = {})
      : producer_(producer),
        level_(level),
        timeout_(timeout),
        refused_(std::move(refused)),
        reached_(std::move(reached)) {}

  /// Publishes one event, called `number` in reports. On an error nothing of it was published: `refused` and its like
  /// are about this event alone (see is_about_one_event), any other is about the feed.
  Result<void> publish(const Event& event, std::uint64_t number);

  /// Takes the receipts that are there, without waiting.
  Result<void> collect_ready();

  /// Waits for every receipt, up to the time-out for each, and for the level asked for. An error of the feed ends it.
  /// With Ack::accepted it gives the broker a moment to refuse what it has taken, and no more than that.
  Result<void> finish();

  /// Events whose receipts are awaited.
  [[nodiscard]] std::size_t outstanding() const noexcept { return outstanding_.size(); }

  [[nodiscard]] const PublisherTotals& totals() const noexcept { return totals_; }

  /// True if the next event may well fare better.
  static bool is_about_one_event(ErrorCode code) noexcept;

 private:
  /// More would gain nothing: the sequencer works in smaller batches.
  static constexpr std::size_t kMaxOutstanding = 4096;

  struct Outstanding {
    Receipt receipt;
    std::uint64_t number = 0;
    std::size_t arena_bytes = 0;
  };

  Result<void> make_room(std::size_t arena_bytes);
  Result<void> collect_front(std::chrono::nanoseconds timeout);
  Result<void> settle(const Result<std::uint64_t>& outcome);
  void forget_front();
  Result<void> wait_durable();
  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, std::chrono::nanoseconds timeout);

  Producer& producer_;
  Ack level_;
  std::chrono::nanoseconds timeout_;
  Refused refused_;
  Reached reached_;
  std::deque<Outstanding> outstanding_;
  std::size_t outstanding_bytes_ = 0;
  Receipt last_committed_;
  bool failed_ = false;           // an error of the feed was met
  bool durable_pending_ = false;  // last_committed_ is not yet known to be durable
  std::uint64_t committed_ = 0;
  unsigned publishes_since_look_ = 0;  // for receipts, while accepted events are only handed over
  std::size_t bytes_since_look_ = 0;
  PublisherTotals totals_;
};

}  // namespace leat::tool
