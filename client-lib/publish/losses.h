// What a producer has lost with rings that were given up.
#pragma once

#include <cstdint>
#include <vector>

#include <leat/result.h>

#include "client-lib/publish/bounds.h"
#include "client-lib/publish/registration.h"

namespace leat::client {

/// The former registrations of one producer, and the events in them that no broker had answered for. One thread.
class Losses {
 public:
  /// `bounds`: outlive this object; they admit no event between a loss and its report.
  explicit Losses(Bounds& bounds);
  Losses(const Losses&) = delete;
  Losses& operator=(const Losses&) = delete;

  /// The broker of this registration is gone, and its successor does not know the producer.
  void give_up(const Registration& former) noexcept;
  /// Was registered so before, as far as that is remembered.
  [[nodiscard]] bool is_former(std::uint64_t registration_id) const noexcept;
  /// Over all registrations.
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

  [[nodiscard]] bool has_unreported() const noexcept { return unreported_ > 0; }
  /// The caller hears now of what was lost. False: there is nothing that the caller does not know.
  bool report() noexcept;
  /// The loss that was reported last.
  [[nodiscard]] Error error() const;

 private:
  Bounds& bounds_;
  std::vector<std::uint64_t> former_ids_;  // newest last
  std::uint64_t events_ = 0;
  std::uint64_t unreported_ = 0;
  std::uint64_t reported_last_ = 0;
};

}  // namespace leat::client
