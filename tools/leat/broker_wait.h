// Waiting for a broker that is not there yet: what every command that connects does.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include <leat/feed_address.h>
#include <leat/result.h>

#include "cmdline/command.h"

namespace leat::tool {

/// --wait. Without it a broker is waited for a moment, and longer while one is evidently starting.
struct BrokerWait {
  static constexpr std::chrono::nanoseconds kDefault = std::chrono::seconds(1);
  std::chrono::nanoseconds limit = kDefault;
  const cmdline::Option* option = nullptr;
  [[nodiscard]] bool given() const { return option != nullptr && option->count() > 0; }
};
void add_wait_option(cmdline::Command& app, BrokerWait& wait);

/// The patience of one attempt to connect: asked after each refusal.
class Patience {
 public:
  Patience(const BrokerWait& wait, const FeedAddress& address) : wait_(wait), address_(address) {}

  /// True, after a short sleep, if the broker may still come: nobody serves the feed (yet), and there is time left.
  bool worth_another_try(const Error& error);
  /// The error, with how long was waited, what could be done, and where else a feed of that name is known.
  [[nodiscard]] Error explained(Error error) const;

 private:
  using Clock = std::chrono::steady_clock;
  const BrokerWait& wait_;
  const FeedAddress& address_;
  Clock::time_point start_ = Clock::now();
  bool told_ = false;
};

/// Calls `connect` until it succeeds, fails for good, or the wait is over (or a stop signal came).
template <typename Connect>
auto connect_patiently(const BrokerWait& wait, const FeedAddress& address, Connect connect) -> decltype(connect()) {
  Patience patience(wait, address);
  auto connected = connect();
  while (!connected && patience.worth_another_try(connected.error())) connected = connect();
  if (!connected) return patience.explained(connected.error());
  return connected;
}

}  // namespace leat::tool
