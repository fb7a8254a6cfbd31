#include "client-lib/publish/losses.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace leat::client {

namespace {
constexpr std::size_t kMaxFormerRegistrations = 64;
}  // namespace

// The memory is taken here: give_up() comes where nothing may fail.
Losses::Losses(Bounds& bounds) : bounds_(bounds) { former_ids_.reserve(kMaxFormerRegistrations); }

void Losses::give_up(const Registration& former) noexcept {
  const std::uint64_t lost = former.arena().unanswered_events();
  events_ += lost;
  unreported_ += lost;
  if (unreported_ > 0) bounds_.close_for(Bounds::Obstacle::unreported_loss);
  if (former_ids_.size() >= kMaxFormerRegistrations) former_ids_.erase(former_ids_.begin());
  former_ids_.push_back(former.id());
}

bool Losses::is_former(std::uint64_t registration_id) const noexcept {
  return std::ranges::find(former_ids_, registration_id) != former_ids_.end();
}

bool Losses::report() noexcept {
  if (unreported_ == 0) return false;
  reported_last_ = std::exchange(unreported_, 0);
  bounds_.open_again(Bounds::Obstacle::unreported_loss);
  return true;
}

Error Losses::error() const {
  return {ErrorCode::closed,
          std::to_string(reported_last_) +
              (reported_last_ == 1 ? " event that was accepted before is lost: its"
                                   : " events that were accepted before are lost: their") +
              " ring was given up when the feed was begun anew",
          "publish them again, and then this one, which was not published"};
}

}  // namespace leat::client
