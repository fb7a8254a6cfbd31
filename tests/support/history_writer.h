// Writes a process's history so that not even a kill loses a fact.
#pragma once

#include <filesystem>
#include <string>

#include <leat/event.h>

#include "history/fact.h"

namespace leat::test {

/// One write() a fact: what was written is the kernel's, and outlives this process. Ends the process when it cannot
/// write: a history with a hole is worse than none.
class HistoryWriter {
 public:
  /// `rotate_bytes` not 0: goes on in <path>.1, .2, ... after so many bytes, for a reader that follows and removes.
  explicit HistoryWriter(std::filesystem::path path, std::string who, std::uint64_t rotate_bytes = 0);
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  /// Sets `at` and `who`, and writes the fact.
  void tell(history::Fact fact);
  /// For the facts of a batch: one write for all of them, with one time.
  void gather(history::Fact fact);
  void tell_gathered();
  [[nodiscard]] const std::string& who() const noexcept { return who_; }
  [[nodiscard]] std::int64_t last_ns() const noexcept { return last_ns_; }

 private:
  void open();

  std::filesystem::path path_;
  std::string who_;
  std::string lines_;
  std::uint64_t rotate_bytes_;
  std::uint64_t bytes_ = 0;
  std::uint64_t file_ = 0;
  std::int64_t last_ns_ = 0;
  int fd_ = -1;
};

/// Fact `received` of an event made by Generated (event_checker.h): key "<producer>", message id its number. An event
/// that is not one has an empty producer name replaced by "nobody", so that the checker finds it.
history::Fact received(const EventView& event);

}  // namespace leat::test
