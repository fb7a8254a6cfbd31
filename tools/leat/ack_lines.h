// What `leat pub --acks` prints: a line for each event, in the order of the input, as soon as its fate is known.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include <leat/error.h>

namespace leat::tool {

/// Keeps the lines of later events back until those of all earlier ones are known. No I/O.
class AckLines {
 public:
  /// A line of input, of which one line must be printed. Numbers ascend. `producer_id` and `producer_sequence` (0:
  /// none) name the event as the broker will know it.
  void expect(std::uint64_t line);
  void published(std::uint64_t line, std::uint32_t producer_id, std::uint64_t producer_sequence);

  // What became of it. Nothing is changed if that is known already, or the line is unknown.
  void reached(std::uint64_t line, std::uint64_t sequence);
  void failed(std::uint64_t line, const Error& error);
  void skipped(std::uint64_t line);  ///< durable=false
  /// Of every line whose fate is still open.
  void fail_rest(const Error& error);

  /// Moves all that can be printed to the end of `out`: one JSON object a line.
  void append_known(std::string& out);

 private:
  struct Entry {
    std::uint64_t line = 0;
    std::uint64_t producer_sequence = 0;
    std::uint32_t producer_id = 0;
    std::string outcome;  ///< members of the object; empty while open
  };
  Entry* find(std::uint64_t line);
  void settle(std::uint64_t line, std::string outcome);

  std::deque<Entry> entries_;
};

}  // namespace leat::tool
