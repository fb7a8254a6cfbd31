#include "client-lib/read/trouble.h"

#include "base/check.h"
#include "base/clock.h"

namespace leat::client {

using namespace internal;

namespace {
constexpr std::int64_t kTroubleNs = 2 * kNanosPerSecond;  ///< trouble that a restart brings with it is over by then
}  // namespace

bool Trouble::note(const Error& why, Report report) {
  LEAT_ASSERT(why.code != ErrorCode::ok);
  const std::int64_t now = monotonic_ns();
  if (why.code != code_) {
    code_ = why.code;
    since_ns_ = now;
    reported_.clear();
  }
  if (now - since_ns_ < kTroubleNs) return false;
  if (report == Report::once && why.message == reported_) return false;
  reported_ = why.message;
  return true;
}

}  // namespace leat::client
