// One fact of a history: something that a producer did or heard, or that a consumer received. Written as one line of
// NDJSON by the process that it happened to; the format is in docs/formats.md, "A history".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::history {

enum class FactKind : std::uint8_t {
  invoke,     ///< a producer begins to publish an event (one line for each event of a batch)
  accepted,   ///< publish() returned ok
  committed,  ///< wait() returned ok at Ack::committed: the event has this sequence
  durable,    ///< the same at Ack::durable
  refused,    ///< the call said that nothing was published
  unknown,    ///< the call said that it does not know
  start,      ///< a consumer begins
  received,   ///< a consumer was handed an event
  saving,     ///< a consumer is about to save its named cursor
  reset,      ///< a consumer was given a Reset
  end,        ///< a consumer says: the feed ends at `latest`, and I have read all of it
  broker,     ///< something happened to the broker
  tick,       ///< nothing happened: lets a reader that follows the history go on
};

/// All fields of all kinds. The views live as long as the line that they were parsed from.
struct Fact {
  FactKind kind = FactKind::tick;
  std::int64_t at_ns = 0;        ///< CLOCK_MONOTONIC: before the call for invoke and saving, after it for all others
  std::string_view who = {};     ///< the producer or consumer; never used again for another process
  std::uint64_t number = 0;      ///< the producer's own number of the event, from 0, larger for each event
  std::uint64_t hash = 0;        ///< of topic, key, message id and payload
  std::uint32_t place = 0;       ///< invoke: place in its batch
  std::uint32_t batch = 1;       ///< invoke: events in its batch
  std::uint64_t sequence = 0;    ///< committed, durable, received, saving
  std::uint64_t epoch = 0;       ///< received: 0 means not known
  std::string_view from = {};    ///< received: the producer
  bool durable_level = false;    ///< start: the consumer reads at Level::durable
  bool has_after = false;        ///< start: `after` is given
  std::uint64_t after = 0;       ///< start: the first event wanted is the one after this
  std::string_view cursor = {};  ///< start: the named cursor
  std::string_view what = {};    ///< reason of a reset, a refusal or an unknown outcome; what happened to the broker
  std::uint64_t wanted = 0;      ///< reset: the range, as in leat::Reset
  std::uint64_t earliest = 0;
  std::uint64_t latest = 0;  ///< reset, end
};

std::string_view to_string(FactKind kind) noexcept;

/// Reads one line, without its newline. Error: invalid_argument, saying what is wrong with it. Fields that are not
/// known are an error too: a misspelt fact must not be lost in silence.
Result<Fact> parse_fact(std::string_view line);

/// Appends the line for a fact, with its newline. Names must be plain: no quotes, backslashes or control bytes.
void append_fact(std::string& out, const Fact& fact);

}  // namespace leat::history
