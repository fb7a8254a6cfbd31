// What the broker has refused of a producer's events after they were accepted.
#pragma once

#include <cstdint>

#include <leat/producer.h>
#include <leat/result.h>

#include "client-lib/publish/registration.h"
#include "shm/ingest/arena_layout.h"

namespace leat::client {

/// Counts refused events, and those among them of which the caller has heard: from wait(), receipt by receipt, or from
/// flush(), all at once. One thread.
class Refusals {
 public:
  /// The next registration has an arena of its own, in which the broker counts from 0.
  void give_up(const Registration& former) noexcept;
  /// Events, over all registrations.
  [[nodiscard]] std::uint64_t all(const Registration& current) const noexcept;
  /// The same without the arena of now, which a fork's child does not have.
  [[nodiscard]] std::uint64_t in_former_arenas() const noexcept { return in_former_arenas_; }

  /// What is said of an entry that was refused for `reason`.
  [[nodiscard]] static Error error(internal::Refusal reason);
  /// The caller has heard that the entry of `receipt` was refused.
  void note_reported(const Receipt& receipt) noexcept;
  /// The caller has heard that the entry of `receipt`, which no count holds, was passed over.
  void note_passed_over(const Receipt& receipt) noexcept;
  [[nodiscard]] bool is_reported(const Receipt& receipt) const noexcept {
    return receipt.arena_position < reported_end_;
  }
  /// An error about all that the caller has not heard of, if there is anything.
  [[nodiscard]] Result<void> report_all(const Registration& current);

 private:
  std::uint64_t in_former_arenas_ = 0;
  std::uint64_t reported_ = 0;
  std::uint64_t reported_end_ = 0;  // position behind the newest entry of which the caller has heard
};

}  // namespace leat::client
