#include "process/kill/path.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "process/kill/attacked_feed.h"

namespace leat::test {

namespace {
// Stepped in any case: a system call that was interrupted begins anew, at a place that is passed again later.
constexpr std::uint64_t kFirstSteps = 2;
// By so many instructions the ways of two calls may differ where they are still the same way.
constexpr std::uint64_t kMostApart = 200;
}  // namespace

void Path::step(Tracer& tracer) {
  if (!tracer.step()) throw Broken("the attacked thread has died by itself");
  const std::uint64_t before = std::exchange(at_, tracer.instruction());
  turns_ = at_ == before ? turns_ + 1 : 0;
  if (turns_ < kMaxTurns) return;
  // A repeated instruction has two bytes, or three.
  if (!tracer.run_to(at_ + 2, at_ + 3)) throw Broken("the attacked thread has died by itself");
  at_ = tracer.instruction();
  turns_ = 0;
  ++cuts_;
}

std::vector<Path::Landmark>::iterator Path::landmark_before(std::uint64_t count) {
  const auto behind = std::ranges::upper_bound(landmarks_, count, {}, &Landmark::count);
  return behind == landmarks_.begin() ? landmarks_.end() : std::prev(behind);
}

void Path::take_over(std::vector<Landmark> recorded) {
  if (length_ != 0) {
    std::unordered_map<std::uint64_t, std::uint64_t> before;
    for (const Landmark& landmark : landmarks_) before.emplace(landmark.address, landmark.count);
    std::erase_if(recorded, [&](const Landmark& landmark) {
      const auto found = before.find(landmark.address);
      return found == before.end() ||
             std::max(found->second, landmark.count) - std::min(found->second, landmark.count) > kMostApart;
    });
  }
  landmarks_ = std::move(recorded);
}

Path::Reached Path::advance(Tracer& tracer, std::uint64_t count, std::uint64_t end,
                            const std::function<bool()>& has_ended) {
  const bool records = count == kWhole;
  std::unordered_set<std::uint64_t> seen;
  std::vector<Landmark> recorded;
  std::uint64_t done = 0;
  at_ = tracer.instruction();
  turns_ = cuts_ = 0;
  const auto is_over = [&] { return done > kFirstSteps && at_ == end && has_ended(); };
  const auto mark = records ? landmarks_.end() : landmark_before(count);
  while (done < count) {
    if (done == kFirstSteps && mark != landmarks_.end()) {
      do {
        if (!tracer.run_to(mark->address, end)) throw Broken("the attacked thread has died by itself");
        at_ = tracer.instruction();
        done = mark->count;
        if (is_over()) {
          landmarks_.erase(mark);
          return Reached::lost;
        }
      } while (at_ != mark->address);
      turns_ = 0;
      continue;
    }
    step(tracer);
    ++done;
    if (is_over()) {
      if (mark == landmarks_.end() || done + kMostApart >= length_) break;
      landmarks_.erase(mark);  // it came by there another time
      return Reached::lost;
    }
    if (records && done > kFirstSteps && seen.insert(at_).second) recorded.push_back({.address = at_, .count = done});
  }
  if (records) {
    take_over(std::move(recorded));
    length_ = done;
    cut_repeats_ = cuts_;
  }
  return is_over() ? Reached::ended : Reached::there;
}

}  // namespace leat::test
