#include "tools/leat/broker_wait.h"

#include <algorithm>

#include "tools/leat/exit_code.h"
#include "tools/leat/feed_places.h"
#include "tools/leat/options.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

/// Between two attempts: a start takes some hundred milliseconds, mostly for its rings.
constexpr std::chrono::milliseconds kPeriod{10};
/// How long a broker that is evidently starting is waited for without --wait: it may have a journal to go through.
constexpr std::chrono::seconds kStartTime{15};
/// Says so to whoever waits for longer than the usual moment.
constexpr std::chrono::nanoseconds kQuietTime = BrokerWait::kDefault;

/// Nobody answers, or the broker has just begun or ended: that may change by itself.
bool may_pass(ErrorCode code) {
  return code == ErrorCode::no_broker || code == ErrorCode::unknown_feed || code == ErrorCode::closed;
}

std::string in_seconds(std::chrono::nanoseconds duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + " s";
}

}  // namespace

void add_wait_option(cmdline::Command& app, BrokerWait& wait) {
  add_seconds(app, "--wait", wait.limit, 0, kMaxSeconds,
              "How long to wait for a broker that does not serve the feed yet",
              "1s, and up to 15s while one is starting");
  wait.option = app.get_option("--wait");
}

bool Patience::worth_another_try(const Error& error) {
  if (!may_pass(error.code) || stop_signal() != 0) return false;
  const auto waited = Clock::now() - start_;
  const bool late = waited >= wait_.limit;
  if (late && (wait_.given() || waited >= kStartTime || !is_being_started(address_))) return false;
  if (!told_ && waited >= kQuietTime) {
    complain("no broker serves feed '" + address_.feed + "' yet; waiting up to " +
             in_seconds(std::max<std::chrono::nanoseconds>(wait_.limit, wait_.given() ? wait_.limit : kStartTime)));
    told_ = true;
  }
  return sleep_unless_stopped(kPeriod);
}

Error Patience::explained(Error error) const {
  if (error.code != ErrorCode::no_broker && error.code != ErrorCode::unknown_feed) return error;
  return error.with_advice(known_elsewhere(address_));
}

}  // namespace leat::tool
