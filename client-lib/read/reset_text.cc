#include "client-lib/read/reset_text.h"

#include <ctime>

#include <leat/consumer.h>

#include "base/clock.h"

namespace leat {

std::string_view to_string(Reset::Reason reason) noexcept {
  switch (reason) {
    case Reset::Reason::expired: return "expired";
    case Reset::Reason::lost_tail: return "lost_tail";
    case Reset::Reason::unknown_epoch: return "unknown_epoch";
    case Reset::Reason::future: return "future";
    case Reset::Reason::gap: return "gap";
  }
  return "unknown";
}

namespace {

// As `leat tail` prints times: ISO 8601, UTC, nanoseconds.
std::string format_time(std::int64_t time_ns) {
  constexpr std::int64_t kSecondNs = internal::kNanosPerSecond;
  std::int64_t nanos = time_ns % kSecondNs;
  std::time_t seconds = time_ns / kSecondNs;
  if (nanos < 0) {
    nanos += kSecondNs;
    --seconds;
  }
  std::tm parts{};
  char date[64] = {};
  if (::gmtime_r(&seconds, &parts) == nullptr || std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
    return std::to_string(time_ns) + " ns";
  }
  std::string fraction = std::to_string(kSecondNs + nanos);
  fraction[0] = '.';
  return date + fraction + "Z";
}

}  // namespace

std::string client::what_of(const Reset& reset) {
  const std::string wanted = reset.wanted_time_ns ? "all from time " + format_time(*reset.wanted_time_ns) + " on"
                                                  : "sequence " + std::to_string(reset.wanted_sequence);
  return "reset (" + std::string(to_string(reset.reason)) + "): " + wanted + " cannot be had; retained are " +
         std::to_string(reset.earliest_sequence) + " to " + std::to_string(reset.latest_sequence);
}

std::string client::advice_of(const Reset& reset) {
  return "take a fresh snapshot and go on after cursor " + reset.resume.to_string();
}

std::string Reset::to_string() const { return client::what_of(*this) + "; " + client::advice_of(*this); }

std::string Ended::to_string() const {
  switch (why) {
    case Why::stopped: break;
    case Why::reset: return reset.to_string();
    case Why::error: return error.message;
    case Why::idle: return "nothing came for as long as was to be waited";
  }
  return "stopped by the callback";
}

}  // namespace leat
