// A producer at the control socket: its slot and arena, also of one that was there before this broker.
#pragma once

#include <cstdint>
#include <memory>

#include <leat/result.h>

#include "broker/control/session.h"
#include "broker/producers/producer_registry.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

class ProducerSession final : public Session {
 public:
  /// A new producer, or one that shows the token of the slot that it has. Errors: feed_failed, invalid_argument, busy,
  /// no_space, refused.
  static Result<std::unique_ptr<ProducerSession>> admit(const SessionParts& parts, const Connection& connection,
                                                        const internal::HelloMessage& hello);
  /// One of the last broker, without a connection, until it has registered again.
  static std::unique_ptr<ProducerSession> adopt(const SessionParts& parts, const Connection& connection,
                                                std::uint32_t slot);
  ~ProducerSession() override;

  Result<void> welcome() override;
  Result<void> serve(const internal::Received& received) override;
  void give_back() override;

  [[nodiscard]] bool has_left() const override { return has_left_; }
  /// A producer that has not said that it leaves may not know that its connection has ended: what it publishes is still
  /// taken, until it registers again or its process ends.
  [[nodiscard]] bool outlives_connection() const override { return !has_left_; }
  /// A process may live on without the producer that it was: a handle that was destroyed while no broker was there to
  /// hear of it, or before it had met this one, or that went with an exec. Then nobody maps its arena any more.
  [[nodiscard]] bool is_abandoned() const override;
  [[nodiscard]] bool holds_producer_slot(std::uint32_t slot) const override { return slot == registration_.slot; }

  [[nodiscard]] std::uint32_t slot() const { return registration_.slot; }
  /// True for a producer that has shown its token. Whoever held the slot before, the adopted producer or an earlier
  /// connection, holds it no more.
  [[nodiscard]] bool is_back() const { return is_back_; }

 private:
  ProducerSession(const SessionParts& parts, const Connection& connection, const Registration& registration,
                  bool is_back);

  Registration registration_;  // of an adopted one: its slot alone
  bool is_back_ = false;
  bool has_left_ = false;  // it has said so, or was never there: its arena went to nobody
};

}  // namespace leat::broker
