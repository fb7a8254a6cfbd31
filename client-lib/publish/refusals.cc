#include "client-lib/publish/refusals.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "shm/ingest/refusal_text.h"

namespace leat::client {

using namespace internal;

namespace {

// A producer keeps to the bounds that it knows: what is too large met another bound.
std::string describe(Refusal reason) {
  if (reason == Refusal::too_large)
    return "larger than the feed allows since the broker was started with other options";
  return std::string(refusal_text(reason));
}

std::string_view advice_for(Refusal reason) {
  return reason == Refusal::too_large
             ? "raise leatd's --max-event-bytes, or for batches --ring-bytes and --segment-bytes"
             : "";
}

}  // namespace

void Refusals::give_up(const Registration& former) noexcept {
  in_former_arenas_ = all(former);
  reported_end_ = 0;
}

std::uint64_t Refusals::all(const Registration& current) const noexcept {
  return in_former_arenas_ + current.arena().header().refused_events.load(std::memory_order_relaxed);
}

Error Refusals::error(Refusal reason) {
  return {ErrorCode::refused, "the broker refused the event: " + describe(reason), advice_for(reason)};
}

void Refusals::note_reported(const Receipt& receipt) noexcept {
  if (receipt.arena_position < reported_end_) return;
  reported_end_ = receipt.arena_position + 1;
  reported_ += receipt.events;
}

void Refusals::note_passed_over(const Receipt& receipt) noexcept {
  reported_end_ = std::max(reported_end_, receipt.arena_position + 1);
}

Result<void> Refusals::report_all(const Registration& current) {
  const std::uint64_t refused = all(current);
  if (refused <= reported_) return {};
  const std::uint64_t unreported = refused - std::exchange(reported_, refused);
  reported_end_ = current.arena().tail();
  const Refusal reason = current.arena().header().last_refusal.load(std::memory_order_relaxed);
  return Error{ErrorCode::refused,
               "the broker refused " + std::to_string(unreported) +
                   " events after it had accepted them; the last one: " + describe(reason),
               advice_for(reason)}
      .with_advice("compare leatd's --max-event-bytes with that of its last start");
}

}  // namespace leat::client
