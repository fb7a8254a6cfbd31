// How a feed's life ends: what leatd holds, its stop, and what is on disk.
#include <algorithm>
#include <chrono>

#include "process/faults/feed_life.h"

namespace leat::test {

using std::chrono::milliseconds;

namespace {

constexpr int kExitOk = 0;
constexpr int kLooks = 4000;        // 5 ms apart: only what is leaked takes so long
constexpr int kMostLooks = 10'000;  // of a producer that looks for its broker ten times a second, or less
// The syncer prepares, recycles and syncs segments whenever it likes.
constexpr int kSegmentSlack = 4;
// The producer, while it has not yet found its way back; or one whose connection broke: its process, this one, lives
// on.
constexpr int kAdopted = 1;

// What a descriptor is of, without the numbers: "socket:[#]", "anon_inode:[eventfd]", "arena-#-#", ...
std::string kind_of(const std::string& target) {
  const auto slash = target.rfind('/');
  const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
  if (name.find(".seg") != std::string::npos || name.starts_with("prepared-")) return "segment";
  std::string kind;
  for (const char c : name) {
    if (c < '0' || c > '9') kind += c;
    else if (kind.empty() || kind.back() != '#') kind += '#';
  }
  return kind;
}

}  // namespace

std::map<std::string, int> FeedLife::open_descriptors() const {
  std::map<std::string, int> open;
  std::error_code failed;
  const std::filesystem::path directory = "/proc/" + std::to_string(broker_.pid()) + "/fd";
  for (auto at = std::filesystem::directory_iterator(directory, failed); !failed && at != std::filesystem::end(at);
       at.increment(failed)) {
    const auto target = std::filesystem::read_symlink(at->path(), failed);
    if (!failed) ++open[kind_of(target.string())];
    failed.clear();
  }
  return open;
}

void FeedLife::check_descriptors() {
  if (options_.most_open.empty()) settle();  // what is counted as usual has both connections back
  if (over() || !broker_.running()) return;
  std::string leaked;
  for (int look = 0; look < kLooks; ++look) {
    outcome_.open = open_descriptors();
    leaked.clear();
    for (const auto& [kind, count] : outcome_.open) {
      const auto most = options_.most_open.find(kind);
      const int slack = kind == "segment"                                                       ? kSegmentSlack
                        : kind.find("pidfd") != std::string::npos || kind.starts_with("arena-") ? kAdopted
                                                                                                : 0;
      const int allowed = (most == options_.most_open.end() ? 0 : most->second) + slack;
      if (count > allowed)
        leaked += " " + kind + " " + std::to_string(count) + " (at most " + std::to_string(allowed) + ")";
    }
    if (leaked.empty() || options_.most_open.empty()) return;
    std::this_thread::sleep_for(milliseconds(5));
  }
  if (broker_.running()) complain("leatd holds descriptors that it should have closed:" + leaked);
}

void FeedLife::stop() {
  if (over()) return;
  if (!broker_.running()) revive();
  const int status = broker_.terminate();
  if (status != kExitOk) judge_end(status, "when it was told to stop");
}

void FeedLife::disarm() {
  if (over()) return;
  outcome_.hits = plan_->hits.load();
  outcome_.where = plan_->where.data();
  plan_->call.store(Call::none);
  for (std::size_t i = 0; i < kCallCount; ++i) outcome_.counts[i] = plan_->counts[i].load();
  log_read_ = broker_.log().size();
}

void FeedLife::settle() {
  int looks_left = kMostLooks;
  for (bool back = false; !back && !over() && !hangs();) {
    if (looks_left-- == 0) return complain("the producer or the consumer does not find its way back");
    publish(1);
    auto observer = FeedObserver::connect(broker_.address());
    if (!observer) return complain("observing: " + observer.error().message);
    const auto status = observer->read();
    if (!status) return complain("observing: " + status.error().message);
    for (const auto& producer : status->producers) back |= producer.state == "connected";
    back &= !status->consumers.empty();
    if (!back) std::this_thread::sleep_for(milliseconds(10));
  }
}

// What was saved is not forgotten: the cursor stands there, or before it if it could not be written.
Result<void> FeedLife::read_named(Consumer& named) {
  EventView event;
  std::uint64_t next = 0;
  for (Poll found{}; (found = named.wait(event, milliseconds(0))) != Poll::empty;) {
    if (found == Poll::error) return named.last_error();
    if (found == Poll::reset) {
      // One that begins at the earliest event may find it pruned by then: nothing is held before the first save.
      if (named_) complain("the named cursor was reset: " + named.last_reset().to_string());
      next = 0;
      if (!over()) continue;
    }
    if (over()) return {};
    if (next == 0 ? named_ && event.sequence > saved_ + 1 : event.sequence != next) {
      complain("the cursor saved at " + std::to_string(saved_) + " goes on with " + std::to_string(event.sequence));
    }
    check_content(event, "by the named cursor");
    next = event.sequence + 1;
  }
  return {};
}

void FeedLife::save_cursor() {
  drain_all();  // so that all content is known
  insist("a consumer with a named cursor", [&]() -> Result<void> {
    auto named = Consumer::connect(
        {.address = broker_.address(), .start = Start::earliest(), .cursor_name = "mine", .allow_offline = false});
    if (!named) return named.error();
    if (auto read = read_named(*named); !read) return read;
    if (auto saved = named->save_cursor(); !saved) return saved;
    named_ = true;
    saved_ = named->cursor().sequence;
    return {};
  });
}

// Until the broker knows that they have left: another life's fork may hold their connections open for a moment.
void FeedLife::let_go() {
  producer_.reset();
  consumer_.reset();
  for (bool gone = false; !gone && !over() && !hangs() && broker_.running();) {
    auto observer = FeedObserver::connect(broker_.address());
    if (!observer) continue;
    const auto status = observer->read();
    gone = status.ok() && status->producers.empty() && status->consumers.empty();
  }
}

void FeedLife::check_journal() {
  if (over()) return;
  auto reader = read_journal(broker_.journal());
  if (!reader) return complain("the journal: " + reader.error().message);
  EventView event;
  std::uint64_t last = 0;
  for (Poll found{}; (found = reader->next(event)) != Poll::empty;) {
    if (found != Poll::event) return complain("the journal: " + reader->last_error().message);
    if (last != 0 && event.sequence != last + 1) return complain("the journal: a gap after " + std::to_string(last));
    check_content(event, "the journal");
    last = event.sequence;
  }
  if (last != accepted_) {
    complain("the journal ends at " + std::to_string(last) + ", accepted were " + std::to_string(accepted_));
  }
}

Outcome FeedLife::finish() {
  if (plan_ != nullptr && outcome_.where.empty()) {
    outcome_.hits = plan_->hits.load();
    outcome_.where = plan_->where.data();
  }
  let_go();
  broker_.kill9();
  if (!outcome_.wrong.empty()) {
    broker_.keep_files();
    outcome_.files = broker_.where();
  }
  return std::move(outcome_);
}

}  // namespace leat::test
