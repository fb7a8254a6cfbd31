// What a checker has found.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leat::history {

/// What can be wrong. Names in kFaultNames, meanings in docs/formats.md.
enum class Fault : std::uint8_t {
  lost_accepted,          ///< reported accepted, and in nobody's hands although all has been read
  lost_committed,         ///< reported committed, the same
  lost_durable,           ///< reported durable, or seen by a durable consumer, the same
  repeated,               ///< one event under two sequences, or handed twice to one consumer
  reordered,              ///< a consumer was handed an event that it had been led past
  reordered_by_producer,  ///< a producer's events are not in its own order
  reordered_in_time,      ///< A was published before B was begun, and comes after it
  wrong_content,          ///< other bytes than were published: torn, or changed
  never_published,        ///< an event that nobody had begun to publish, or that was refused
  two_contents,           ///< one sequence, two events
  vanished,               ///< somebody saw it, and later it is not there
  gap,                    ///< a consumer was led past events without a Reset
  torn_batch,             ///< events of a batch are apart, or some are missing
  unjustified_reset,      ///< a Reset whose reason does not hold
  new_epoch,              ///< the epoch changed although nothing was lost that could change it
  cursor_skipped,         ///< a named cursor went on beyond what was saved
  contradiction,          ///< the history contradicts itself: whoever wrote it is wrong, or a fact is missing
};

inline constexpr std::size_t kFaults = 17;
inline constexpr std::array<std::string_view, kFaults> kFaultNames = {"lost_accepted",     "lost_committed",
                                                                      "lost_durable",      "repeated",
                                                                      "reordered",         "reordered_by_producer",
                                                                      "reordered_in_time", "wrong_content",
                                                                      "never_published",   "two_contents",
                                                                      "vanished",          "gap",
                                                                      "torn_batch",        "unjustified_reset",
                                                                      "new_epoch",         "cursor_skipped",
                                                                      "contradiction"};

constexpr std::string_view to_string(Fault fault) noexcept { return kFaultNames[static_cast<std::size_t>(fault)]; }

struct Finding {
  Fault fault = Fault::contradiction;
  std::int64_t at_ns = 0;      ///< of the fact that showed it; 0: found at the end
  std::uint64_t sequence = 0;  ///< 0: none
  std::string text;            ///< one sentence
};

/// Counts of all, and the first findings.
struct Report {
  std::uint64_t facts = 0;
  std::uint64_t producers = 0;
  std::uint64_t consumers = 0;
  std::uint64_t published = 0;  ///< events whose publishing was begun
  std::uint64_t accepted = 0;   ///< reported so, or better
  std::uint64_t committed = 0;  ///< reported so, or better
  std::uint64_t durable = 0;
  std::uint64_t refused = 0;
  std::uint64_t without_outcome = 0;  ///< in flight when their producer was killed, or said to be unknown
  std::uint64_t events = 0;           ///< sequences that somebody knows of
  std::uint64_t received = 0;         ///< events handed to consumers, each counted
  std::uint64_t resets = 0;
  std::uint64_t broker_facts = 0;
  /// Accepted or committed events of which nothing can be said: nobody read all of the feed. 0 if a consumer's `end` is
  /// there and no sequence was read by nobody.
  std::uint64_t undecided = 0;
  std::uint64_t unchecked = 0;  ///< received from below the window, see CheckerOptions
  std::array<std::uint64_t, kFaults> faults{};
  std::vector<Finding> findings;  ///< the first of them

  [[nodiscard]] bool good() const noexcept {
    for (const std::uint64_t count : faults) {
      if (count != 0) return false;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t count(Fault fault) const noexcept { return faults[static_cast<std::size_t>(fault)]; }
  /// A few lines for people: the counts, then the findings.
  [[nodiscard]] std::string to_text() const;
  /// The same as one JSON object, without a newline.
  [[nodiscard]] std::string to_json() const;
};

}  // namespace leat::history
