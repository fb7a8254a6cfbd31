#include "broker/host/broker.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "broker/host/feed_lock.h"
#include "broker/host/directories.h"
#include "broker/feed/fault_guard.h"
#include "broker/log.h"
#include "broker/host/start_trace.h"
#include "base/clock.h"
#include "base/whole_io.h"

namespace leat::broker {

using namespace internal;

Broker::~Broker() { set_fault_state_words(nullptr, nullptr); }  // they lie in mappings that go with us

Result<void> Broker::open(int stop_fd) {
  if (auto checked = check_options(options_); !checked) return checked;
  mind_real_time();
  auto admission = Admission::parse(options_.allow_publish, options_.allow_subscribe);
  if (!admission) return admission.error();
  admission_ = std::move(*admission);
  admission_.set_user_share(options_.user_share);
  auto paths = resolve_feed({.feed = options_.feed, .runtime_dir = options_.runtime_dir, .data_dir = options_.data_dir},
                            admission_.admits_others());
  if (!paths) return paths.error();
  paths_ = std::move(*paths);
  if (auto fits = check_socket_path((paths_.runtime / "control.sock").string()); !fits) return fits;
  StartTrace trace;  // whatever refuses the start from here on, nothing of it stays
  trace_ = &trace;
  auto done = open_traced(stop_fd);
  if (done) trace.keep();
  trace_ = nullptr;
  return done;
}

// What can refuse a start comes first, as far as it can be known before anything is changed.
Result<void> Broker::open_traced(int stop_fd) {
  if (auto alone = become_the_broker(stop_fd); !alone) return alone;
  if (auto enough = check_resources(); !enough) return enough;
  auto door = std::make_unique<ListeningSocket>();
  if (auto bound = door->prepare((paths_.runtime / "control.sock").string(), admission_.socket_mode()); !bound)
    return bound;
  trace_->did([this] { forget_everything(); });
  for (const auto step :
       {&Broker::recover, &Broker::open_current_segment, &Broker::set_up_ring, &Broker::set_up_threads}) {
    if (auto done = (this->*step)(); !done) return done;
  }
  return control_->listen(std::move(door));
}

// A thread that spins under a real-time policy never gives its core to anybody below it, the kernel's own threads among
// them.
void Broker::mind_real_time() {
  const int policy = ::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  if (policy != SCHED_FIFO && policy != SCHED_RR) return;
  if (options_.idle == IdleStrategy::spin) {
    options_.idle = IdleStrategy::block;
    spdlog::warn(
        "leatd runs under {}: --idle spin would take a core from all others for good, so it sleeps (block) instead",
        policy == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_RR");
  } else {
    spdlog::info("leatd runs under {}", policy == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_RR");
  }
}

// Descriptors and threads that we cannot do without.
Result<void> Broker::check_resources() {
  constexpr int kDescriptors = 40;
  std::vector<UniqueFd> taken;
  for (int i = 0; i < kDescriptors; ++i) {
    taken.emplace_back(::fcntl(journal_fd_.get(), F_DUPFD_CLOEXEC, 0));
    if (!taken.back().valid())
      return system_error(errno, "taking the " + std::to_string(kDescriptors) + " descriptors that leatd needs");
  }
  try {
    std::promise<void> enough;
    const std::future<void> told = enough.get_future();
    std::thread first(
        [&] { told.wait(); });  // both at once, as they will be: one that has ended makes room for the next
    std::exception_ptr failed;
    try {
      std::thread([] {}).join();
    } catch (...) {
      failed = std::current_exception();
    }
    enough.set_value();
    first.join();
    if (failed) std::rethrow_exception(failed);
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "starting a thread");
  }
  return {};
}

// The newest part of a start that is refused: the rings that it made go, those of the last broker stay, and what stands
// in the journal says again what it said before.
void Broker::forget_everything() {
  set_fault_state_words(nullptr, nullptr);
  fault_ranges_ = {};
  control_.reset();
  syncer_.reset();
  sequencer_.reset();
  registry_.reset();
  if (files_ != nullptr) files_->take_back();
  journal_.reset();
  if (pool_ != nullptr) (void)pool_->clear_leftovers().ok();
  if (!journal_was_empty_) return restore_identity();
  if (const auto names = list_segments(journal_fd_.get(), paths_.journal.string())) {
    for (const SegmentName& name : *names) ::unlinkat(journal_fd_.get(), name.to_string().c_str(), 0);
  }
  ::unlinkat(journal_fd_.get(), std::string(kIdentityFileName).c_str(), 0);
}

void Broker::restore_identity() {
  if (!identity_stored_ || !stored_identity_) return;
  FeedIdentity before = *stored_identity_;
  const bool proven = before.current().id == recovered_.identity.current().id;
  if (before.closed_cleanly() && proven && !recovered_.segments.empty()) {
    // Our own work on the last segment must not look like somebody else's.
    struct stat status {};
    const std::string last = recovered_.segments.back().to_string();
    if (::fstatat(journal_fd_.get(), last.c_str(), &status, 0) == 0) before.closed_change_ns = change_time_ns(status);
  }
  if (auto stored = store_identity(journal_fd_.get(), paths_.journal.string(), before); !stored) {
    spdlog::warn("the refused start could not be taken back: {}", stored.error().message);
  }
}

// Whoever can write above our directory can put another one in its place.
void Broker::mind_parents(const std::filesystem::path& directory) {
  for (std::filesystem::path above = directory.parent_path(); above.has_relative_path(); above = above.parent_path()) {
    struct stat status {};
    if (::stat(above.c_str(), &status) != 0) return;
    const bool sticky = (status.st_mode & S_ISVTX) != 0;
    const bool others_write = (status.st_mode & 022) != 0 && !sticky;
    if (status.st_uid == 0 || status.st_uid == ::geteuid()) {
      if (!others_write) continue;
    }
    spdlog::warn(
        "{} belongs to user {} and has mode {:o}: others could put another directory in the place of {}; chmod go-w "
        "it, or choose another --runtime-dir",
        above.string(), status.st_uid, status.st_mode & 07777, directory.string());
    return;
  }
}

namespace {
constexpr const char* kJournalAdvice = "run leatd as the directory's owner, or choose another --data-dir";
constexpr const char* kRuntimeAdvice = "remove it, or choose another --runtime-dir";
// Where all can write nobody but they and root can take it away.
constexpr const char* kTheirsAdvice =
    "have them or root remove it, or name a directory of your own to leatd and its clients: --runtime-dir, "
    "LEAT_RUNTIME_DIR "
    "or, without allow rules, XDG_RUNTIME_DIR";
}  // namespace

Result<void> Broker::open_directories(Modes modes) {
  const mode_t mode = admission_.admits_others() ? 0711 : 0700;
  if (auto done = make_parents(paths_.runtime.parent_path().parent_path()); !done) return done;
  const bool default_base = !paths_.runtime_was_named;
  if (auto done = make_directory(paths_.runtime.parent_path(), mode); !done) return done;
  if (default_base) {  // anybody could have made it before us
    if (auto done = check_owner(paths_.runtime.parent_path(), kRuntimeAdvice, kTheirsAdvice); !done) return done;
    // It is shared by all feeds of this user: opened when one of them is, never closed again.
    if (modes == Modes::set && mode == 0711 && ::chmod(paths_.runtime.parent_path().c_str(), mode) != 0) {
      return system_error(errno, "chmod of " + paths_.runtime.parent_path().string());
    }
  }
  if (auto done = make_directory(paths_.runtime, mode); !done) return done;
  if (auto done = check_owner(paths_.runtime, kRuntimeAdvice, kTheirsAdvice); !done) return done;
  if (modes == Modes::set) {
    mind_parents(paths_.runtime);
    if (auto done = make_own_directory(paths_.runtime, mode); !done) return done;
  }
  if (auto done = make_own_directory(paths_.runtime / "shm", 0700); !done) return done;
  if (auto done = make_parents(paths_.journal.parent_path()); !done) return done;
  auto journal = take_journal_directory(paths_.journal, kJournalAdvice);
  if (!journal) return journal.error();
  journal_fd_ = std::move(*journal);
  return {};
}

// A standby leaves the directories of the broker that serves alone: they become its own with the lock.
Result<void> Broker::become_the_broker(int stop_fd) {
  const auto journal_path = paths_.journal / kLockFileName;
  const auto runtime_path = paths_.runtime / "shm" / "lock";
  for (;;) {
    struct stat there {};
    const bool missing =
        ::stat(paths_.journal.c_str(), &there) != 0;  // for whatever reason: open_directories() says it
    if (!options_.standby || missing) {
      if (auto done = open_directories(Modes::leave); !done) return done;
    } else if (auto ours = check_owner(paths_.journal, kJournalAdvice); !ours) {
      return ours;
    }
    if (auto done = lock(journal_lock_, journal_path, stop_fd); !done) return done;
    // Again: they may have been moved while we waited. Only now are they ours to change.
    if (auto done = open_directories(Modes::leave); !done) return done;
    if (auto done = lock(runtime_lock_, runtime_path, stop_fd); !done) return done;
    if (lock_is_in_place(journal_lock_, journal_path) && lock_is_in_place(runtime_lock_, runtime_path)) {
      return open_directories(Modes::set);
    }
    spdlog::warn("the directories of feed '{}' were moved or removed meanwhile: trying again", options_.feed);
    runtime_lock_.reset();
    journal_lock_.reset();
  }
}

Result<void> Broker::lock(UniqueFd& held, const std::filesystem::path& path, int stop_fd) {
  const auto waits = [&] {
    if (notifier_ != nullptr) notifier_->waiting("standby: another broker serves feed " + options_.feed);
  };
  auto taken = options_.standby ? wait_for_lock(path, options_.feed, stop_fd, waits) : take_lock(path, options_.feed);
  if (!taken) return taken.error();
  held = std::move(*taken);
  return {};
}

// After a failed sync the page cache may show what never reached the disk: clean pages are dropped, so that recovery
// reads what is really there.
void Broker::drop_page_cache() {
  auto names = list_segments(journal_fd_.get(), paths_.journal.string());
  if (!names) return;  // recovery will say so
  spdlog::warn("the last broker failed on the disk: the journal is read back from it, not from the page cache");
  for (const SegmentName& name : *names) {
    const UniqueFd fd(::openat(journal_fd_.get(), name.to_string().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.valid()) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

Result<void> Broker::recover() {
  files_ = std::make_unique<RuntimeFiles>(paths_.runtime / "shm");
  const auto identity = load_identity(journal_fd_.get(), paths_.journal.string());
  if (!identity && identity.error().code != ErrorCode::unknown_feed) return identity.error();
  if (identity) {
    stored_identity_ = *identity;
    if (auto done = files_->adopt(identity->uuid); !done) return done;
  }
  const auto segments = list_segments(journal_fd_.get(), paths_.journal.string());
  journal_was_empty_ = !identity && segments && segments->empty();
  if (files_->last_life().failed) drop_page_cache();
  auto recovered = recover_journal(journal_fd_.get(), paths_.journal.string(), files_->last_life());
  if (!recovered) return recovered.error();
  recovered_ = std::move(*recovered);
  if (!identity) {  // leftovers of a feed whose journal is gone are retired
    if (auto done = files_->adopt(recovered_.identity.uuid); !done) return done;
  }
  files_->make_room_for_held(options_);
  if (auto done = files_->complete(options_, recovered_.identity.uuid, recovered_.ring_can_go_on); !done) return done;
  files_->remove_strays();
  const std::uint32_t known = files_->registry_header().next_producer_id;
  next_producer_id_ = std::max({recovered_.next_producer_id, known, 1U});
  broker_life_ = ++files_->registry_header().broker_life;
  guard_mappings();
  set_fault_state_words(&files_->inbound_header().feed_state, &files_->broadcast_header().feed_state);
  spdlog::info("feed {} ({}) stands at sequence {}, position {}, epoch {:016x}", options_.feed,
               format_uuid(recovered_.identity.uuid), recovered_.end_sequence, recovered_.end_position,
               recovered_.identity.current().id);
  return {};
}

void Broker::guard_mappings() {
  const auto guard = [](const SharedFile& file, FaultKind kind) {
    return FaultRange(file.data(), file.mapping.bytes(), kind, file.fd.get());
  };
  fault_ranges_ = {guard(files_->inbound, FaultKind::shared), guard(files_->doorbell, FaultKind::shared),
                   guard(files_->broadcast, FaultKind::own), guard(files_->registry, FaultKind::own),
                   guard(files_->status, FaultKind::own)};
}

// By what the file system can promise, unless an option says otherwise.
Result<SegmentWrites> Broker::choose_segment_writes() {
  auto found = look_at_file_system(journal_fd_.get(), paths_.journal.string());
  if (!found) return found.error();
  switch (options_.journal_writes) {
    case JournalWrites::written: return SegmentWrites::written;
    case JournalWrites::synced: return SegmentWrites::synced;
    case JournalWrites::mapped:
      if (found->writes != SegmentWrites::mapped) {
        spdlog::warn("--journal-writes mapped on {}: {}; a full disk stops it in the middle of a store", found->name,
                     found->why);
      }
      return SegmentWrites::mapped;
    case JournalWrites::automatic: break;
  }
  if (found->writes != SegmentWrites::mapped) {
    spdlog::info("the journal's file system is {}: {}; so segments are written{}, not mapped", found->name, found->why,
                 found->writes == SegmentWrites::synced ? " and synced round by round" : "");
  }
  return found->writes;
}

Result<void> Broker::open_current_segment() {
  const std::uint64_t seed = feed_checksum_seed(recovered_.identity.uuid);
  auto writes = choose_segment_writes();
  if (!writes) return writes.error();
  pool_ = std::make_unique<SegmentPool>(journal_fd_.get(), paths_.journal.string(), options_.segment_bytes,
                                        options_.sync == SyncPolicy::always, *writes);
  if (auto done = pool_->clear_leftovers(); !done) return done;
  cursors_ = std::make_unique<CursorTable>(journal_fd_.get(), paths_.journal.string(), recovered_.identity.uuid);
  cursors_->set_user_share(admission_.user_share());
  if (auto done = cursors_->load(); !done) return done;
  // After a kill it stands there already: then a full disk does not keep the feed from starting again.
  if (stored_identity_ != recovered_.identity) {
    identity_stored_ = true;
    if (auto done = store_identity(journal_fd_.get(), paths_.journal.string(), recovered_.identity); !done) return done;
  }
  handover_ = std::make_unique<JournalHandover>();
  std::atomic<std::uint64_t>& round_position = files_->registry_header().round_position;
  if (recovered_.tail.empty()) round_position.store(recovered_.end_position);  // no round is left to be finished
  handover_->round_position = &round_position;
  journal_ = std::make_unique<JournalWriter>(journal_fd_.get(), paths_.journal.string(), recovered_.identity.uuid, seed,
                                             recovered_.identity.current().id);
  if (!recovered_.needs_segment) {
    auto current = pool_->open_current(recovered_.segments.back());
    if (!current) return current.error();
    const std::uint64_t offset = recovered_.end_position - recovered_.segments.back().first_position;
    journal_->attach(std::move(*current), offset);
    journal_->mend_index();
  } else {
    auto prepared = pool_->prepare();
    if (!prepared) return prepared.error();
    auto rolled = journal_->roll(std::move(*prepared), recovered_.end_sequence + 1, recovered_.end_position);
    if (!rolled) return rolled.error();
    recovered_.segments.push_back(journal_->current().name);
  }
  return sync_what_was_left();
}

// What the last broker left unsynced is made durable before anybody is told so: sealed segments too, as far as no mark
// vouches for them.
Result<void> Broker::sync_what_was_left() {
  const auto& segments = recovered_.segments;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i + 1].first_position <= recovered_.durable_position) continue;
    const std::string name = segments[i].to_string();
    const UniqueFd sealed(::openat(journal_fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!sealed.valid() || sync_data(sealed.get()) != 0) {
      return system_error(errno, "syncing segment " + paths_.journal.string() + "/" + name);
    }
  }
  if (sync_data(journal_->current().fd.get()) != 0 || sync_all(journal_fd_.get()) != 0) {
    return system_error(errno, "syncing the journal in " + paths_.journal.string());
  }
  return {};
}

// Brings the ring up to the journal's end. An adopted one already holds all but what was appended and never committed.
Result<void> Broker::set_up_ring() {
  BroadcastHeader& header = files_->broadcast_header();
  const std::uint64_t end = recovered_.end_position;
  std::uint64_t from = header.committed.load(std::memory_order_relaxed);
  if (!files_->ring_adopted()) {
    const std::uint64_t begin = recovered_.segments.back().first_position;
    from = end - begin > options_.ring_bytes ? end - options_.ring_bytes : begin;
    header.max_record_bytes = max_ring_record_bytes(options_.ring_bytes);
    for (Watermark& slot : header.latest) slot.position.store(BroadcastWriter::kNoPosition);
  }
  ring_ = BroadcastWriter(files_->broadcast.data(), files_->broadcast.spec.capacity);
  UniqueFd own(::fcntl(journal_fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) return system_error(errno, "a second descriptor of " + paths_.journal.string());
  auto files = JournalFiles::open(std::move(own), paths_.journal.string());
  if (!files) return files.error();
  RecordBuffer buffer(256 * 1024);
  ring_.raise_intent(end);
  for (std::uint64_t position = from; position < end;) {
    // The string leaves a segment where the next one begins, not where its file ends.
    const auto next = std::ranges::upper_bound(files->segments(), position, {}, &SegmentName::first_position);
    const std::uint64_t until = next == files->segments().end() ? end : std::min(end, next->first_position);
    buffer.restart(position);
    if (files->fill(buffer, false, until) != JournalFiles::Fill::ok) {
      return Error{ErrorCode::corrupt, "the journal's end cannot be read back: " + files->error().message};
    }
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.capacity(), until - position);
    copy_words_in(ring_.place(position), buffer.room(), bytes);
    position += bytes;
  }
  if (!files_->ring_adopted()) header.start_position = from;
  header.epoch.store(recovered_.identity.current().id, std::memory_order_relaxed);
  header.broker_life.store(broker_life_, std::memory_order_relaxed);
  header.earliest_sequence.store(recovered_.segments.front().first_sequence, std::memory_order_relaxed);
  header.earliest_position.store(recovered_.segments.front().first_position, std::memory_order_release);
  ring_.commit(end, recovered_.end_sequence);
  header.durable_sequence.store(recovered_.end_sequence, std::memory_order_relaxed);
  header.durable.store(end, std::memory_order_release);
  header.file.publish_state(FileState::ready);
  files_->doorbell_header().file.publish_state(FileState::ready);
  return {};
}

Result<void> Broker::set_up_threads() {
  inbound_ = InboundConsumer(files_->inbound.data(), files_->inbound.spec.capacity,
                             files_->registry_header().inbound_head.load(std::memory_order_acquire));
  table_.publish_durable(recovered_.end_sequence);
  registry_ = std::make_unique<ProducerRegistry>(options_, *files_, table_, lanes_, next_producer_id_);
  control_ = std::make_unique<ControlServer>(options_, admission_, *files_, table_, *registry_, lanes_, *cursors_,
                                             journal_fd_.get(), broker_life_);
  if (auto done = control_->open(); !done) return done;
  SequencerParts parts{.inbound = &inbound_,
                       .ring = &ring_,
                       .doorbell = &files_->doorbell_header(),
                       .journal = journal_.get(),
                       .handover = handover_.get(),
                       .lanes = &lanes_,
                       .registry = &files_->registry_header(),
                       .counters = &files_->status_header().sequencer,
                       .wake_control = [this] { control_->wake(); },
                       .failed = [this](const Error& error) { on_failure(error); },
                       .next_producer_id = &next_producer_id_,
                       .producer_slots = files_->producer_slots()};
  sequencer_ = std::make_unique<Sequencer>(options_, std::move(parts),
                                           SequencerStart{.position = recovered_.end_position,
                                                          .sequence = recovered_.end_sequence,
                                                          .last_timestamp_ns = recovered_.last_timestamp_ns,
                                                          .feed_seed = feed_checksum_seed(recovered_.identity.uuid),
                                                          .tail = recovered_.tail});
  syncer_ =
      std::make_unique<Syncer>(options_, journal_fd_.get(), paths_.journal.string(), *handover_, *pool_, *cursors_,
                               files_->broadcast_header(), files_->broadcast.spec.capacity, files_->doorbell_header(),
                               files_->status_header().syncer,
                               SyncerHooks{.durable_advanced = [this](std::uint64_t sequence) { on_durable(sequence); },
                                           .wake_sequencer = [this] { inbound_.wake(); },
                                           .failed = [this](const Error& error) { on_failure(error); },
                                           .held = [this](bool held) { on_held(held); }});
  syncer_->watch_names(recovered_.identity, journal_lock_.get());
  auto adopted = registry_->adopt(recovered_);
  if (!adopted) return adopted.error();
  control_->watch_adopted(*adopted);
  return {};
}

void Broker::set_state(FeedState state) {
  files_->inbound_header().feed_state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
  files_->broadcast_header().feed_state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
  files_->status_header().control.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
}

void Broker::on_durable(std::uint64_t sequence) {
  table_.publish_durable(sequence);
  auto& armed = files_->doorbell_header().armed_events;
  if (armed.load(std::memory_order_relaxed) == 0) return;  // after the fence in ring_doorbell and publish_durable
  armed.store(0, std::memory_order_seq_cst);
  control_->wake();
}

void Broker::on_failure(const Error& error) {
  spdlog::critical(
      "the feed stops accepting: {}; reading goes on; what is on disk is found out at the next start: "
      "mend the disk, then restart leatd",
      error.message);
  set_state(FeedState::failed);
  table_.tell_failure();
  inbound_.wake();
}

// Clients see a feed that is stalled, as when its disk is full: producers are held back, consumers read on.
void Broker::on_held(bool held) { set_state(held ? FeedState::stalled : handover_->state.load()); }

int Broker::run(int stop_fd) {
  ControlCounters& counters = files_->status_header().control;
  counters.pid.store(::getpid(), std::memory_order_relaxed);
  counters.broker_life.store(broker_life_, std::memory_order_relaxed);
  counters.inbound_slots.store(inbound_.slots(), std::memory_order_relaxed);
  set_state(FeedState::running);
  // Producers that see this ask at once for our bounds, and find us listening.
  files_->inbound_header().broker_life.store(broker_life_, std::memory_order_release);
  if (auto started = start_threads(); !started) {
    spdlog::critical("{}", started.error().message);
    return kExitFailed;
  }
  const std::string socket = (paths_.runtime / "control.sock").string();
  spdlog::info("ready: {} (life {}, {})", socket, broker_life_, paths_.journal.string());
  control_->watch_names(watched_names());
  if (notifier_ != nullptr) {
    notifier_->ready("serves feed " + options_.feed + " at " + socket);
    control_->on_tick([this] { notifier_->alive(); });
  }
  const auto served = control_->run(stop_fd);
  if (!served) spdlog::critical("the control thread ends: {}", served.error().message);
  const Names names = served && *served == ControlServer::End::name_lost ? Names::lost : Names::in_place;
  if (notifier_ != nullptr && names == Names::in_place) notifier_->stopping();
  const int status = shut_down(names);
  if (status == kExitOk && names == Names::lost) return kServeAgain;
  return served.ok() ? status : kExitFailed;
}

NameWatch Broker::watched_names() {
  NameWatch names;
  runtime_fd_ = UniqueFd(::open(paths_.runtime.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::filesystem::path shm = paths_.runtime / "shm";
  if (runtime_fd_.valid()) names.add(paths_.runtime, runtime_fd_.get());
  names.add(shm / "lock", runtime_lock_.get());
  names.add(shm / "inbound", files_->inbound.fd.get());
  names.add(shm / "registry", files_->registry.fd.get());
  names.add(shm / "broadcast", files_->broadcast.fd.get());
  names.add(shm / "doorbell", files_->doorbell.fd.get());
  return names;
}

void Broker::set_admission(Admission admission) {
  if (admission.admits_others()) {  // as at a start: opened when somebody else may come, closed at the next start only
    ::chmod(paths_.runtime.c_str(), 0711);
    if (!paths_.runtime_was_named) {
      ::chmod(paths_.runtime.parent_path().c_str(), 0711);
    }
  }
  cursors_->set_user_share(admission.user_share());
  control_->set_admission(std::move(admission));
}

Result<void> Broker::start_threads() {
  try {
    sequencer_->start();
    syncer_->start(recovered_.segments, journal_->current().fd.get(), recovered_.last_timestamp_ns);
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "starting a thread");
  }
  return {};
}

int Broker::shut_down(Names names) {
  control_->close_listener();
  if (names == Names::lost) files_->tell_retired();  // before the last round: what is published after it would be lost
  stop_waiting_for_room();
  sequencer_->stop();
  syncer_->stop();
  control_->take_notices();
  const bool failed = handover_->state.load() == FeedState::failed;
  const bool held = handover_->held.load();
  if (!failed) {
    if (auto closed = close_journal(); !closed) {
      spdlog::critical("the journal could not be closed: {}; what is on disk is found out at the next start",
                       closed.error().message);
      // For want of room nothing is lost: what was accepted waits in rings and arenas for the next broker.
      if (closed.error().code != ErrorCode::no_space) set_state(FeedState::failed);
      return kExitFailed;
    }
    set_state(FeedState::stopped);
  }
  if (!failed && held) {
    spdlog::critical(
        "the journal was closed, but its names are not as they were, as said above: put them right before the next "
        "start; what was accepted since waits in the rings");
  }
  if (!failed && !held && (names == Names::lost || (registry_->empty() && !control_->has_clients()))) {
    files_->remove_all();
  } else {
    spdlog::info("rings and arenas stay for the clients that are still there");
  }
  spdlog::info("stopped at sequence {}{}", sequencer_->sequence(), failed ? " (failed)" : "");
  return failed || held ? kExitFailed : kExitOk;
}

Result<void> Broker::close_journal() {
  const auto marked = sequencer_->append_clean_mark();
  if (!marked) return marked.error();
  const std::uint64_t end = *marked;
  const std::string last = paths_.journal.string() + "/" + journal_->current().file_name;
  if (sync_data(journal_->current().fd.get()) != 0) return system_error(errno, "the last fdatasync, of " + last);
  if (has_no_name(journal_->current().fd.get())) {
    return Error{ErrorCode::io_error, "the current segment " + last +
                                          " was removed while the feed was served; restore it "
                                          "from a backup or run leat repair"};
  }
  BroadcastHeader& header = files_->broadcast_header();
  header.durable_sequence.store(sequencer_->sequence(), std::memory_order_relaxed);
  header.durable.store(end, std::memory_order_release);
  table_.publish_durable(sequencer_->sequence());
  recovered_.identity.closed_position = end;
  recovered_.identity.closed_sequence = sequencer_->sequence();
  struct stat status {};
  if (::fstat(journal_->current().fd.get(), &status) != 0) return system_error(errno, "fstat of " + last);
  recovered_.identity.closed_change_ns = change_time_ns(status);
  if (auto done = store_identity(journal_fd_.get(), paths_.journal.string(), recovered_.identity); !done) return done;
  return pool_->clear_leftovers();  // segments made ahead of need: the next broker makes its own
}

}  // namespace leat::broker
