// An observer at the control socket: it reads the status page, and asks for its rows to be brought up to date.
#pragma once

#include <memory>

#include <leat/result.h>

#include "broker/control/session.h"

namespace leat::broker {

class ObserverSession final : public Session {
 public:
  /// Error: busy.
  static Result<std::unique_ptr<ObserverSession>> admit(const SessionParts& parts, const Connection& connection);
  ~ObserverSession() override;

  Result<void> welcome() override;
  Result<void> serve(const internal::Received& received) override;

 private:
  ObserverSession(const SessionParts& parts, const Connection& connection);
};

}  // namespace leat::broker
