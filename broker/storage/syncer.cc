#include "broker/storage/syncer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "broker/log.h"
#include "base/clock.h"
#include "base/whole_io.h"
#include "shm/broadcast/doorbell.h"

namespace leat::broker {

using namespace internal;

namespace {
constexpr std::int64_t kHousekeepingNs = 200 * kNanosPerMilli;
constexpr std::int64_t kPrepareRetryNs = 100 * kNanosPerMilli;
constexpr std::int64_t kQuietNs = 10 * kNanosPerMilli;
constexpr std::int64_t kGatherLookNs = 2 * kNanosPerMicro;
constexpr std::size_t kMaxUnsyncedSegments = 4;
constexpr std::int64_t kNamesLookNs = 500 * kNanosPerMilli;
// While events wait for a sync, pruning gets no more than a ninth of the time: what takes 1 ms is followed by 8
// without.
constexpr std::int64_t kPruneShare = 8;
constexpr std::int64_t kPruneStepNs = 2 * kNanosPerMilli;
}  // namespace

Syncer::Syncer(const Options& options, JournalDirectory directory, JournalHandover& handover, SegmentPool& pool,
               CursorTable& cursors, BroadcastHeader& ring, std::uint64_t ring_capacity, DoorbellHeader& doorbell,
               SyncerCounters& counters, SyncerHooks hooks)
    : options_(options),
      directory_(std::move(directory)),
      handover_(handover),
      pool_(pool),
      cursors_(cursors),
      ring_(ring),
      ring_reader_(reinterpret_cast<const std::byte*>(&ring), ring_capacity),
      doorbell_(doorbell),
      counters_(counters),
      hooks_(std::move(hooks)),
      retained_(options) {}

Syncer::~Syncer() {
  if (thread_.joinable()) stop();
}

// How old a segment of an earlier life is, is asked once; from here on only the monotonic clock counts, so that a step
// of the wall clock prunes nothing.
void Syncer::begin(const std::vector<SegmentName>& segments, int current_fd, std::int64_t newest_event_ns) {
  const std::int64_t now = monotonic_ns();
  const std::int64_t wall_ns = realtime_ns();
  for (const SegmentName& name : segments) {
    RetainedSegment segment{.name = name, .age_base_ns = now};
    struct stat status {};
    if (::fstatat(directory_.fd, name.to_string().c_str(), &status, 0) == 0) {
      segment.file_bytes = static_cast<std::uint64_t>(status.st_size);
      segment.inode = status.st_ino;
      const std::int64_t changed_ns = nanoseconds_of(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
      segment.age_base_ns = now - age_at_start_ns(changed_ns, newest_event_ns, wall_ns);
    }
    retained_.add(segment);
  }
  current_fd_ = current_fd;
  counters_.segment_bytes.store(options_.segment_bytes, std::memory_order_relaxed);
  count_segments();
  if (options_.retain_seconds > 0) say_if_the_clock_is_doubted(newest_event_ns, wall_ns);
  say_what_goes(now);
}

void Syncer::count_segments() {
  counters_.segments.store(retained_.size(), std::memory_order_relaxed);
  counters_.journal_bytes.store(retained_.bytes(), std::memory_order_relaxed);
}

// A bound that was lowered, or one that a broken clock makes look exceeded, takes what nobody can bring back: the log
// says so before it goes.
void Syncer::say_what_goes(std::int64_t now) {
  const Retention::Plan plan = retained_.plan(now, holds());
  if (plan.segments == 0) return;
  log::warn("{}: {} of the journal's {} segments are beyond it and go now ({} of {} bytes, events {} to {}){}",
            plan.options, plan.segments, retained_.size(), plan.bytes, retained_.bytes(), plan.first_sequence,
            plan.last_sequence,
            plan.overtaken == nullptr ? std::string()
                                      : "; cursor '" + plan.overtaken->name + "' has not read all of them, and " +
                                            "is held no more than " + bound_of(*plan.overtaken));
}

void Syncer::say_if_the_clock_is_doubted(std::int64_t newest_event_ns, std::int64_t wall_ns) const {
  if (newest_event_ns == 0) return;
  if (newest_event_ns > wall_ns) {
    const std::uint64_t ahead = seconds_between(wall_ns, newest_event_ns);
    if (ahead < 1) return;
    log::warn(
        "the wall clock stands {} s before the journal's newest event: one of them is wrong, so --retain-seconds "
        "takes what seems to come from the future for new, and counts its age from now on; check the clock",
        ahead);
    return;
  }
  const std::uint64_t rested = seconds_between(newest_event_ns, wall_ns);
  if (rested <= options_.retain_seconds) return;
  log::warn(
      "by the wall clock the journal's newest event is {} s old, more than --retain-seconds {}: the feed has "
      "rested, or the clock is ahead; that time is not counted, so nothing is pruned for it: ages count up to "
      "the newest event, and on from now",
      rested, options_.retain_seconds);
}

void Syncer::watch_names(const FeedIdentity& identity, int lock_fd) { names_.emplace(directory_, identity, lock_fd); }

void Syncer::start(const std::vector<SegmentName>& segments, int current_fd, std::int64_t newest_event_ns) {
  begin(segments, current_fd, newest_event_ns);
  thread_ = std::thread([this] { run(); });
}

void Syncer::stop() {
  stopping_.store(true, std::memory_order_release);
  handover_.syncer_wake.notify();
  thread_.join();
}

std::int64_t Syncer::next_wait_ns() const {
  if (preparing_) return std::max<std::int64_t>(0, next_prepare_ns_ - monotonic_ns());
  if (prune_waits_) return std::clamp<std::int64_t>(next_prune_ns_ - monotonic_ns(), 0, kHousekeepingNs);
  if (options_.sync == SyncPolicy::interval) {
    return std::min<std::int64_t>(kHousekeepingNs, options_.sync_interval_ms * kNanosPerMilli);
  }
  return kHousekeepingNs;
}

bool Syncer::step() {
  take_rolls();
  look_at_names(false);
  prune();  // first: a segment that goes is the cheapest one to come
  keep_prepared();
  sync_if_due(false);
  flush_cursors(false);
  if (handover_.state.load(std::memory_order_relaxed) == FeedState::failed) return false;
  return (options_.sync == SyncPolicy::always && events_wait()) || (prune_waits_ && may_prune_now(monotonic_ns()));
}

void Syncer::run() {
  ::prctl(PR_SET_NAME, "syncer");
  if (options_.sync == SyncPolicy::always) ::prctl(PR_SET_TIMERSLACK, 1UL);  // or gather() sleeps 50 us too long
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!step()) handover_.syncer_wake.wait(next_wait_ns());
  }
  finish();
}

void Syncer::finish() {
  take_rolls();
  look_at_names(true);
  sync_if_due(true);
  flush_cursors(true);
}

// A cursor that is older on disk than its consumer saved it means events twice, never an event missed; so this may
// wait.
void Syncer::flush_cursors(bool now_due) {
  const std::int64_t now = monotonic_ns();
  if (!now_due && now < next_flush_ns_) return;
  auto flushed = cursors_.flush();
  const std::int64_t ended =
      monotonic_ns();  // on a slow disk it, too, leaves most of the time to those who wait for a sync
  next_flush_ns_ = ended + std::max(kHousekeepingNs, kPruneShare * (ended - now));
  if (!flushed && now_due) {
    log::error(
        "the named cursors could not be written at last: {}; they stand where they were written before, so what "
        "their consumers have read since will come again",
        flushed.error().message);
  } else if (!flushed && !told_cursors_) {
    log::error("the named cursors cannot be written: {}; they are kept in memory and tried again until they can be",
               flushed.error().message);
  }
  if (flushed && told_cursors_) log::info("the named cursors could be written again");
  told_cursors_ = !flushed.ok();
}

void Syncer::take_rolls() {
  handover_.rolled.consume_all([&](const RollNotice& notice) {
    if (notice.sealed != nullptr) unsynced_.emplace_back(notice.sealed);
    const std::int64_t now = monotonic_ns();
    RetainedSegment segment{.name = notice.current, .file_bytes = options_.segment_bytes, .age_base_ns = now};
    struct stat status {};
    if (::fstat(notice.current_fd, &status) == 0) {
      segment.file_bytes = static_cast<std::uint64_t>(status.st_size);
      segment.inode = status.st_ino;
    }
    retained_.seal(now);
    retained_.add(segment);
    current_fd_ = notice.current_fd;
    names_dirty_ = true;
    ++prunes_owed_;
    count_segments();
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
      log::error(
          "no segment ahead of need: {}; the feed goes on in the current one and then holds its producers "
          "back: free some space or lower --retain-bytes",
          segment.error().message);
      told_no_space_ = true;
    }
    return;
  }
  if (told_no_space_) log::info("a segment could be prepared again");
  told_no_space_ = false;
  if (handover_.prepared.push(segment->get())) (void)segment->release();
  hooks_.wake_sequencer();
}

// While producers wait for syncs, a slice comes in between only as the current segment is used up: the new one is ready
// when half of it is.
bool Syncer::slice_can_wait(std::int64_t now) const {
  if (options_.sync != SyncPolicy::always || now - last_sync_ns_ > kQuietNs || retained_.empty()) return false;
  const std::uint64_t used = ring_.committed.load(std::memory_order_relaxed) - retained_.current().name.first_position;
  return pool_.new_filled_bytes() > 2 * used;
}

void Syncer::sync_if_due(bool now_due) {
  if (handover_.state.load(std::memory_order_acquire) == FeedState::failed) return;
  const std::int64_t now = monotonic_ns();
  if (!now_due) {
    if (handover_.held.load(std::memory_order_relaxed)) return;
    if (options_.sync == SyncPolicy::none && unsynced_.size() < kMaxUnsyncedSegments) return;
    if (options_.sync == SyncPolicy::interval && now - last_sync_ns_ < options_.sync_interval_ms * kNanosPerMilli)
      return;
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
  if (!events) return;                                              // only a mark: no news to anybody
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
    if (sync_data(segment->fd.get()) != 0) return failed("fdatasync of " + directory_.file(segment->file_name));
    if (lost_its_name(segment->fd.get(), segment->file_name)) return false;
  }
  unsynced_.clear();
  if (current_fd_ >= 0 && sync_data(current_fd_) != 0) {
    return failed("fdatasync of " + directory_.file(retained_.current().name.to_string()));
  }
  if (current_fd_ >= 0 && lost_its_name(current_fd_, retained_.current().name.to_string())) return false;
  return !names_dirty_ || sync_directory();
}

bool Syncer::sync_directory() {
  if (sync_all(directory_.fd) != 0) {
    fail(system_error(errno, "fsync of directory " + directory_.path));
    return false;
  }
  names_dirty_ = pruned_dirty_ = false;
  return true;
}

// Asked at each sync, of what it has synced: bytes that no name leads to are never said to be durable, not even until
// the next look.
bool Syncer::lost_its_name(int fd, const std::string& what) {
  if (!has_no_name(fd)) return false;
  fail({ErrorCode::io_error,
        "segment " + directory_.file(what) +
            " was removed while the feed was served, with events that were not durable yet",
        "stop leatd, restore the segment from a backup or run leat repair, then start leatd"});
  return true;
}

void Syncer::look_at_names(bool now_due) {
  if (!names_ || handover_.state.load() == FeedState::failed) return;
  const std::int64_t now = monotonic_ns();
  if (!now_due && now - last_look_ns_ < kNamesLookNs) return;
  last_look_ns_ = now;
  const NamesLook found = names_->look(retained_, current_fd_);
  if (found.lost_oldest > 0) lose_oldest(found.lost_oldest);
  if (handover_.state.load() == FeedState::failed) return;
  switch (found.standing) {
    case NamesLook::Standing::gone: return fail(found.error);
    case NamesLook::Standing::away: return hold(found.error.message);
    case NamesLook::Standing::here: break;
  }
  cursors_.look_at_file();
  if (!handover_.held.load(std::memory_order_relaxed)) return;
  handover_.held.store(false, std::memory_order_release);
  told_held_.clear();
  log::warn("the journal's names are there again: the feed goes on");
  hooks_.held(false);
  hooks_.wake_sequencer();
}

// What has been accepted waits where it is; nothing is reported durable. The hook hears of it again and again:
// the sequencer may have said otherwise in between.
void Syncer::hold(const std::string& reason) {
  handover_.held.store(true, std::memory_order_release);
  if (told_held_ != reason) {
    log::error("the feed accepts nothing, and nothing becomes durable, until this is right again: {}", reason);
  }
  told_held_ = reason;
  hooks_.held(true);
}

void Syncer::set_earliest(const SegmentName& oldest) {
  ring_.earliest_sequence.store(oldest.first_sequence, std::memory_order_relaxed);
  ring_.earliest_position.store(oldest.first_position, std::memory_order_seq_cst);
}

// They are as good as pruned: readers are told that these events are gone, and those behind them are not hidden.
void Syncer::lose_oldest(std::size_t segments) {
  const SegmentName first = retained_.oldest().name;
  for (std::size_t i = 0; i < segments; ++i) {
    for (const auto& segment : unsynced_) {
      if (segment->name == retained_.oldest().name && lost_its_name(segment->fd.get(), segment->file_name)) return;
    }
    retained_.drop_oldest();
    bump(counters_.lost_segments);
  }
  const SegmentName next = retained_.oldest().name;
  set_earliest(next);
  count_segments();
  log::error(
      "{} of the journal's oldest segments, from {} on, were removed by somebody else while the feed was served: "
      "events {} to {} are gone, and their readers will be told; keep cleaners (tmpfiles, cron) away from {}",
      segments, first.to_string(), first.first_sequence, next.first_sequence - 1, directory_.path);
}

// After a failed sync the kernel may have marked pages clean that never reached the disk: a second one that succeeds
// proves nothing. So this is the end of the feed until its next start.
void Syncer::fail(const Error& error) {
  handover_.state.store(FeedState::failed, std::memory_order_release);
  hooks_.failed(error);
}

bool Syncer::must_prune() {
  if (retained_.size() < 2) return false;  // the current segment always stays
  // So does what a round in progress has written, which may be more than is retained: after a kill it is in no ring
  // yet, and tells which of its tickets are done.
  if (handover_.round_position != nullptr &&
      retained_[1].name.first_position > handover_.round_position->load(std::memory_order_acquire)) {
    return false;
  }
  return retained_.exceeded(monotonic_ns()) != Bound::none && !held_by_cursor();
}

// Asked of the table only after a change: while cursors hold segments that are due, each step asks.
std::span<const CursorHold> Syncer::holds() {
  const std::uint64_t version = cursors_.holds_version();  // read first: a change in between is looked at next time
  if (version == holds_version_) return holds_;
  holds_ = cursors_.holds(options_.cursor_hold_bytes);
  holds_version_ = version;
  return holds_;
}

bool Syncer::held_by_cursor() {
  if (retained_.held_for(holds())) return true;
  say_who_is_overtaken();
  return false;
}

// Once for each user: after his lowest cursor all his others are as badly off, if they stand there still.
void Syncer::say_who_is_overtaken() {
  if (options_.cursor_hold_bytes == 0) return;
  for (const CursorHold& hold : holds_) {
    if (!retained_.needs_oldest(hold)) return;
    std::string& reported = reported_overtaken_[hold.uid];
    if (reported == hold.name) continue;
    reported = hold.name;
    const bool by_share = hold.most_bytes < options_.cursor_hold_bytes;
    log::warn(
        "cursor '{}' of user {} stands at sequence {} and holds no more than {}: what it has not read is "
        "pruned, and its consumer will be told; start the consumer, raise {}, or drop the cursor",
        hold.name, hold.uid, hold.next_sequence - 1, bound_of(hold), by_share ? "one of these bounds" : "the bound");
  }
}

// The options that set it, as they are now.
std::string Syncer::bound_of(const CursorHold& hold) const {
  const std::string all = "--cursor-hold-bytes " + std::to_string(options_.cursor_hold_bytes);
  if (hold.most_bytes >= options_.cursor_hold_bytes) return all;
  return std::to_string(hold.most_bytes) + " bytes, the share of one user (--user-share " +
         std::to_string(cursors_.user_share()) + ") of " + all;
}

bool Syncer::events_wait() const { return ring_reader_.read_latest().sequence > durable_sequence(); }

// Each segment that goes costs a sync of the directory, milliseconds on many disks, and there may be thousands: a bound
// that was lowered, a cursor that held much and moves. Nobody waits for them, but whoever waits for a sync waits for
// this too.
bool Syncer::may_prune_now(std::int64_t now) const {
  if (prunes_owed_ > 0 || now >= next_prune_ns_) return true;
  if (handover_.state.load(std::memory_order_relaxed) == FeedState::stalled) return true;  // waits for room
  return options_.sync == SyncPolicy::none || !events_wait();
}

// One segment, or a few milliseconds' worth of those that have come since; then whoever waits for a sync or for a new
// segment has his turn.
void Syncer::prune() {
  prune_waits_ = !handover_.is_closed() && must_prune();
  if (!prune_waits_) prunes_owed_ = 0;
  const std::int64_t began = monotonic_ns();
  if (!prune_waits_ || !may_prune_now(began)) return;
  std::int64_t now = began;
  do {
    prune_oldest();
    now = monotonic_ns();
  } while (prune_waits_ && prunes_owed_ > 0 && now - began < kPruneStepNs && must_prune());
  next_prune_ns_ = now + kPruneShare * (now - began);
}

void Syncer::prune_oldest() {
  const SegmentName gone = retained_.oldest().name;
  const auto unsynced = std::ranges::find_if(unsynced_, [&](const auto& segment) { return segment->name == gone; });
  if (unsynced != unsynced_.end()) {
    prune_waits_ = false;                           // until it is synced: nothing more to do at once
    if (options_.sync != SyncPolicy::none) return;  // after its last sync, or the durable mark would stand still
    unsynced_.erase(unsynced);                      // nobody was promised that it would ever be durable
  }
  // Names get to the disk in order, whatever the file system: the new segment's before an old one goes for it, and of
  // two that go the older one's first. Else a loss of power could leave a journal with a hole, or none at all.
  if ((names_dirty_ || pruned_dirty_) && !sync_directory()) return;
  const SegmentName next = retained_[1].name;
  // Readers first: whoever copies from the old segment after this looks at the watermark and throws it away.
  set_earliest(next);
  auto kept = pool_.recycle(gone);
  if (!kept) {
    if (!told_prune_) {
      log::error("cannot prune {}: {}; it is tried again until it goes", gone.to_string(), kept.error().message);
    }
    told_prune_ = true;
    prune_waits_ = false;
    return;
  }
  told_prune_ = false;
  retained_.drop_oldest();
  pruned_dirty_ = true;
  if (prunes_owed_ > 0) --prunes_owed_;
  bump(*kept ? counters_.recycled_segments : counters_.pruned_segments);
  count_segments();
}

}  // namespace leat::broker
