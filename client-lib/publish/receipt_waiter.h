// Waiting for what becomes of events that were published.
#pragma once

#include <cstdint>

#include <leat/producer.h>

#include "base/deadline.h"
#include "base/idle.h"
#include "client-lib/publish/broker_link.h"
#include "client-lib/publish/losses.h"
#include "client-lib/publish/refusals.h"

namespace leat::client {

/// Looks for the outcome of entries in the producer's arena, where the broker writes them. One thread.
class ReceiptWaiter {
 public:
  /// `link`, `losses`, `refusals`: outlive this object.
  ReceiptWaiter(BrokerLink& link, Losses& losses, Refusals& refusals, Idle idle);
  ReceiptWaiter(const ReceiptWaiter&) = delete;
  ReceiptWaiter& operator=(const ReceiptWaiter&) = delete;

  /// See Producer::wait and Producer::flush.
  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, internal::Deadline deadline);
  Result<void> flush(Ack level, internal::Deadline deadline);

 private:
  Result<void> check(const Receipt& receipt);
  Result<std::uint64_t> await(const Receipt& receipt, Ack level, internal::Deadline deadline);
  Result<std::uint64_t> await_committed(const Receipt& receipt, internal::Deadline deadline);
  Result<std::uint64_t> await_durable(const Receipt& receipt, std::uint64_t sequence, internal::Deadline deadline);
  template <typename Done>
  Result<void> sleep_until(const Receipt& receipt, std::uint32_t reason, internal::Deadline deadline, Done done);
  [[nodiscard]] bool was_refused(const Receipt& receipt) const noexcept;
  bool is_unreported_passing_over(const Receipt& newest) noexcept;
  [[nodiscard]] Error late_error(std::uint32_t reason) const;

  [[nodiscard]] internal::ArenaWriter& arena() noexcept { return link_.registration().arena(); }
  [[nodiscard]] const internal::ArenaWriter& arena() const noexcept { return link_.registration().arena(); }

  BrokerLink& link_;
  Losses& losses_;
  Refusals& refusals_;
  internal::IdleSpinner spinner_;
};

}  // namespace leat::client
