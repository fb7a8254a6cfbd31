#include "broker/journal/syncer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "broker/log.h"
#include "shm/base/clock.h"

namespace leat::broker {

using namespace shm;

namespace {
constexpr std::int64_t kHousekeepingNs = 200 * kNanosPerMilli;
constexpr std::int64_t kPrepareRetryNs = 100 * kNanosPerMilli;
constexpr std::int64_t kQuietNs = 10 * kNanosPerMilli;
constexpr std::int64_t kGatherLookNs = 2 * kNanosPerMicro;
constexpr std::size_t kMaxUnsyncedSegments = 4;
}  // namespace

Syncer::Syncer(const Options& options, int directory_fd, std::string directory, JournalHandover& handover,
               SegmentPool& pool, CursorTable& cursors, BroadcastHeader& ring, std::uint64_t ring_capacity, DoorbellHeader& doorbell,
               SyncerCounters& counters, SyncerHooks hooks)
    : options_(options),
      directory_fd_(directory_fd),
      directory_(std::move(directory)),
      handover_(handover),
      pool_(pool),
      cursors_(cursors),
      ring_(ring),
      ring_reader_(reinterpret_cast<const std::byte*>(&ring), ring_capacity),
      doorbell_(doorbell),
      counters_(counters),
      hooks_(std::move(hooks)) {}

Syncer::~Syncer() {
  if (thread_.joinable()) stop();
}

void Syncer::begin(const std::vector<SegmentName>& segments, int current_fd) {
  const std::int64_t now = monotonic_ns();
  for (const SegmentName& name : segments) {
    // How old a segment of an earlier life is, by its file's time, is asked once; from here on only the monotonic clock
    // counts, so that a step of the wall clock prunes nothing.
    struct stat status {};
    std::int64_t age_ns = 0;
    if (::fstatat(directory_fd_, name.to_string().c_str(), &status, 0) == 0) {
      age_ns = std::max<std::int64_t>(0, realtime_ns() - (status.st_mtim.tv_sec * kNanosPerSecond));
    }
    retained_.push_back({.name = name, .age_base_ns = now - age_ns});
  }
  current_fd_ = current_fd;
  counters_.segment_bytes.store(options_.segment_bytes, std::memory_order_relaxed);
  counters_.segments.store(retained_.size(), std::memory_order_relaxed);
}

void Syncer::start(const std::vector<SegmentName>& segments, int current_fd) {
  begin(segments, current_fd);
  thread_ = std::thread([this] { run(); });
}

void Syncer::stop() {
  stopping_.store(true, std::memory_order_release);
  handover_.syncer_wake.notify();
  thread_.join();
}

std::int64_t Syncer::next_wait_ns() const {
  if (preparing_) return std::max<std::int64_t>(0, next_prepare_ns_ - monotonic_ns());
  if (options_.sync == SyncPolicy::interval) {
    return std::min<std::int64_t>(kHousekeepingNs, options_.sync_interval_ms * kNanosPerMilli);
  }
  return kHousekeepingNs;
}

bool Syncer::step() {
  take_rolls();
  prune();  // first: a segment that goes is the cheapest one to come
  keep_prepared();
  sync_if_due(false);
  flush_cursors(false);
  return options_.sync == SyncPolicy::always && ring_reader_.read_latest().sequence > durable_sequence() &&
         handover_.state.load(std::memory_order_relaxed) != FeedState::failed;
}

void Syncer::run() {
  if (options_.sync == SyncPolicy::always) ::prctl(PR_SET_TIMERSLACK, 1UL);  // or gather() sleeps 50 us too long
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!step()) handover_.syncer_wake.wait(next_wait_ns());
  }
  finish();
}

void Syncer::finish() {
  take_rolls();
  sync_if_due(true);
  flush_cursors(true);
}

// A cursor that is older on disk than its consumer saved it means events twice, never an event missed; so this may wait.
void Syncer::flush_cursors(bool now_due) {
  const std::int64_t now = monotonic_ns();
  if (!now_due && now - last_flush_ns_ < kHousekeepingNs) return;
  last_flush_ns_ = now;
  auto flushed = cursors_.flush();
  if (!flushed && now_due) {
    spdlog::error("the named cursors could not be written at last: {}; they stand where they were written before, so what "
                  "their consumers have read since will come again", flushed.error().message);
  } else if (!flushed && !told_cursors_) {
    spdlog::error("the named cursors cannot be written: {}; they are kept in memory and tried again: free some space "
                  "or mend the disk", flushed.error().message);
  }
  if (flushed && told_cursors_) spdlog::info("the named cursors could be written again");
  told_cursors_ = !flushed.ok();
}

void Syncer::take_rolls() {
  handover_.rolled.consume_all([&](const RollNotice& notice) {
    if (notice.sealed != nullptr) unsynced_.emplace_back(notice.sealed);
    if (!retained_.empty()) retained_.back().age_base_ns = monotonic_ns();
    retained_.push_back({.name = notice.current, .age_base_ns = monotonic_ns()});
    current_fd_ = notice.current_fd;
    directory_dirty_ = true;
    counters_.segments.store(retained_.size(), std::memory_order_relaxed);
  });
}

void Syncer::keep_prepared() {
  if (handover_.state.load() == FeedState::failed) {
    preparing_ = false;
    return;
  }
  // One ahead costs a segment of disk; recycled ones cost nothing more, so all of them go ahead.
  const std::size_t ahead = handover_.prepared.read_available();
  if (ahead > 0 && (ahead >= SegmentPool::kMaxRecycled || !pool_.has_recycled())) return;
  const std::int64_t now = monotonic_ns();
  if (now < next_prepare_ns_) return;
  const bool stalled = handover_.state.load(std::memory_order_acquire) == FeedState::stalled;
  if (preparing_ && !stalled && slice_can_wait(now)) {
    next_prepare_ns_ = now + kQuietNs;
    return;
  }
  auto segment = pool_.prepare_some(stalled ? SegmentPool::Hurry::yes : SegmentPool::Hurry::no);
  preparing_ = segment.ok() && *segment == nullptr;
  if (preparing_) return;
  if (!segment && pool_.directory_failed()) return fail(segment.error());
  if (!segment) {
    next_prepare_ns_ = now + kPrepareRetryNs;
    if (!told_no_space_) {
      spdlog::error("no segment ahead of need: {}; the feed goes on in the current one and then holds its producers "
                    "back: free some space or lower --retain-bytes", segment.error().message);
      told_no_space_ = true;
    }
    return;
  }
  if (told_no_space_) spdlog::info("a segment could be prepared again");
  told_no_space_ = false;
  if (handover_.prepared.push(segment->get())) (void)segment->release();
  hooks_.wake_sequencer();
}

// While producers wait for syncs, a slice comes in between only as the current segment is used up: the new one is ready
// when half of it is.
bool Syncer::slice_can_wait(std::int64_t now) const {
  if (options_.sync != SyncPolicy::always || now - last_sync_ns_ > kQuietNs || retained_.empty()) return false;
  const std::uint64_t used = ring_.committed.load(std::memory_order_relaxed) - retained_.back().name.first_position;
  return pool_.new_filled_bytes() > 2 * used;
}

void Syncer::sync_if_due(bool now_due) {
  if (handover_.state.load(std::memory_order_acquire) == FeedState::failed) return;
  const std::int64_t now = monotonic_ns();
  if (!now_due) {
    if (options_.sync == SyncPolicy::none && unsynced_.size() < kMaxUnsyncedSegments) return;
    if (options_.sync == SyncPolicy::interval && now - last_sync_ns_ < options_.sync_interval_ms * kNanosPerMilli) return;
  }
  Place target = ring_reader_.read_latest();
  if (target.position <= ring_.durable.load(std::memory_order_relaxed)) return;
  // A mark alone goes to disk when there is time: an event that comes meanwhile would have to wait for it.
  const auto has_events = [&] { return target.sequence > durable_sequence(); };
  if (!has_events() && !now_due && now - last_sync_ns_ < kHousekeepingNs) return;
  if (!now_due) target = gather(target);
  take_rolls();  // a roll is announced before anything behind it is committed: now every file below target is known
  const std::int64_t began = last_sync_ns_ = monotonic_ns();
  if (!sync_files()) return;
  const auto took = static_cast<std::uint64_t>(monotonic_ns() - began);
  group_.synced(target.sequence - durable_sequence(), ring_reader_.read_latest().sequence - target.sequence,
                static_cast<std::int64_t>(took));
  bump(counters_.syncs);
  counters_.last_sync_ns.store(took, std::memory_order_relaxed);
  if (took > counters_.max_sync_ns.load(std::memory_order_relaxed)) counters_.max_sync_ns.store(took);

  const bool events = has_events();  // not what the first look said: some may have come while others were gathered
  ring_.durable_sequence.store(target.sequence, std::memory_order_relaxed);
  ring_.durable.store(target.position, std::memory_order_release);  // pairs with BroadcastReader::durable
  if (!events) return;  // only a mark: no news to anybody
  ring_doorbell(doorbell_.durable_sleepers);
  hooks_.durable_advanced(target.sequence);
  // A mark tells recovery. Marks alone do not ask for another one, or an idle feed would never rest.
  if (handover_.marks.push({.position = target.position, .sequence = target.sequence})) {
    hooks_.wake_sequencer();
  }
}

// Sleeps rather than spins: those it waits for need the core.
Place Syncer::gather(Place target) {
  if (options_.sync != SyncPolicy::always) return target;
  const std::int64_t began = monotonic_ns();
  for (std::int64_t waited = 0; group_.should_wait(target.sequence - durable_sequence(), waited);
       waited = monotonic_ns() - began) {
    const timespec nap{.tv_sec = 0, .tv_nsec = kGatherLookNs};
    ::nanosleep(&nap, nullptr);
    target = ring_reader_.read_latest();
  }
  return target;
}

bool Syncer::sync_files() {
  const auto failed = [&](const std::string& what) {
    fail(system_error(errno, what));
    return false;
  };
  for (const auto& segment : unsynced_) {
    if (::fdatasync(segment->fd.get()) != 0) return failed("fdatasync of " + directory_ + "/" + segment->file_name);
  }
  unsynced_.clear();
  if (current_fd_ >= 0 && ::fdatasync(current_fd_) != 0) {
    return failed("fdatasync of " + directory_ + "/" + retained_.back().name.to_string());
  }
  return sync_directory();
}

bool Syncer::sync_directory() {
  if (directory_dirty_ && ::fsync(directory_fd_) != 0) {
    fail(system_error(errno, "fsync of directory " + directory_));
    return false;
  }
  directory_dirty_ = false;
  return true;
}

// After a failed sync the kernel may have marked pages clean that never reached the disk: a second one that succeeds
// proves nothing. So this is the end of the feed until its next start.
void Syncer::fail(const Error& error) {
  handover_.state.store(FeedState::failed, std::memory_order_release);
  hooks_.failed(error);
}

bool Syncer::must_prune() {
  if (retained_.size() < 2) return false;  // the current segment always stays
  // So does what a round in progress has written, which may be more than is retained: after a kill it is in no ring yet,
  // and tells which of its tickets are done.
  if (handover_.round_position != nullptr &&
      retained_[1].name.first_position > handover_.round_position->load(std::memory_order_acquire)) {
    return false;
  }
  return beyond_bounds() && !held_by_cursor();
}

bool Syncer::beyond_bounds() const {
  if (options_.retain_bytes > 0 && retained_.size() * options_.segment_bytes > options_.retain_bytes) return true;
  if (options_.retain_seconds > 0 &&
      monotonic_ns() - retained_.front().age_base_ns >
          static_cast<std::int64_t>(options_.retain_seconds) * kNanosPerSecond) {
    return true;
  }
  return options_.retain_events > 0 &&
         retained_.back().name.first_sequence - retained_[1].name.first_sequence >= options_.retain_events;
}

// Only asked when a segment is due, which is rare.
bool Syncer::held_by_cursor() {
  const CursorTable::Lowest lowest = cursors_.lowest();
  if (lowest.next_sequence >= retained_[1].name.first_sequence) return false;
  if (retained_.size() * options_.segment_bytes <= options_.cursor_hold_bytes) return true;
  if (told_overtaken_ != lowest.name && options_.cursor_hold_bytes > 0) {
    spdlog::warn("cursor '{}' stands at sequence {} and holds no more than --cursor-hold-bytes {}: what it has not read "
                 "is pruned, and its consumer will be told; start the consumer, raise the bound, or drop the cursor",
                 lowest.name, lowest.next_sequence - 1, options_.cursor_hold_bytes);
    told_overtaken_ = lowest.name;
  }
  return false;
}

void Syncer::prune() {
  while (handover_.state.load() != FeedState::failed && must_prune()) {
    const SegmentName gone = retained_.front().name;
    const auto unsynced = std::ranges::find_if(unsynced_, [&](const auto& segment) { return segment->name == gone; });
    if (unsynced != unsynced_.end()) {
      if (options_.sync != SyncPolicy::none) return;  // after its last sync, or the durable mark would stand still
      unsynced_.erase(unsynced);                      // nobody was promised that it would ever be durable
    }
    // Names get to the disk in order, whatever the file system: the new segment's before an old one goes for it, and of
    // two that go the older one's first. Else a loss of power could leave a journal with a hole, or none at all.
    if (!sync_directory()) return;
    const SegmentName next = retained_[1].name;
    // Readers first: whoever copies from the old segment after this looks at the watermark and throws it away.
    ring_.earliest_sequence.store(next.first_sequence, std::memory_order_relaxed);
    ring_.earliest_position.store(next.first_position, std::memory_order_seq_cst);
    auto kept = pool_.recycle(gone);
    if (!kept) {
      if (!told_prune_) {
        spdlog::error("cannot prune {}: {}; it is tried again until it goes", gone.to_string(), kept.error().message);
      }
      told_prune_ = true;
      return;
    }
    told_prune_ = false;
    retained_.pop_front();
    directory_dirty_ = true;
    bump(*kept ? counters_.recycled_segments : counters_.pruned_segments);
    counters_.segments.store(retained_.size(), std::memory_order_relaxed);
  }
}

}  // namespace leat::broker
