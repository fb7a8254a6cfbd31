#include "broker/feed/feed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/whole_io.h"
#include "broker/log.h"
#include "broker/storage/file_system.h"
#include "broker/storage/known_file_systems.h"
#include "journal/read/journal_files.h"
#include "journal/read/record_buffer.h"

namespace leat::broker {

using namespace internal;

namespace {
constexpr std::size_t kFillBytes = 256 * 1024;  // read from the journal at a time
}  // namespace

Feed::Feed(Options options, FeedPlaces places, StageHooks hooks)
    : options_(std::move(options)), places_(std::move(places)), hooks_(std::move(hooks)) {}

Feed::~Feed() { set_fault_state_words(nullptr, nullptr); }  // they lie in mappings that go with us

Error Feed::error_at_journal(const std::string& what) const { return system_error(errno, what + places_.journal.path); }

Result<void> Feed::open() {
  for (const auto step : {&Feed::recover, &Feed::open_journal, &Feed::set_up_ring, &Feed::set_up_stages}) {
    if (auto done = (this->*step)(); !done) return done;
  }
  return {};
}

// The rings that a refused start made go, those of the last broker stay, and the journal says what it said before.
void Feed::take_back() {
  set_fault_state_words(nullptr, nullptr);
  fault_ranges_ = {};
  syncer_.reset();
  registry_.reset();
  stages_.reset();
  if (files_ != nullptr) files_->take_back();
  journal_.reset();
  if (pool_ != nullptr) (void)pool_->clear_leftovers().ok();
  if (!journal_was_empty_) return restore_identity();
  if (const auto names = list_segments(places_.journal)) {
    for (const SegmentName& name : *names) ::unlinkat(places_.journal.fd, name.to_string().c_str(), 0);
  }
  ::unlinkat(places_.journal.fd, std::string(kIdentityFileName).c_str(), 0);
}

void Feed::restore_identity() {
  if (!identity_stored_ || !stored_identity_) return;
  FeedIdentity before = *stored_identity_;
  const bool proven = before.current().id == recovered_.identity.current().id;
  if (before.closed_cleanly() && proven && !recovered_.segments.empty()) {
    // Our own work on the last segment must not look like somebody else's.
    struct stat status {};
    const std::string last = recovered_.segments.back().to_string();
    if (::fstatat(places_.journal.fd, last.c_str(), &status, 0) == 0) before.closed_change_ns = change_time_ns(status);
  }
  if (auto stored = store_identity(places_.journal, before); !stored) {
    log::warn("the refused start could not be taken back: {}", stored.error().message);
  }
}

Result<void> Feed::check_place_of_rings() const {
  struct statfs stats {};
  if (::statfs(places_.rings.c_str(), &stats) != 0) {
    return system_error(errno, "looking at the file system of " + places_.rings.string());
  }
  return check_file_system_of_rings(static_cast<std::uint32_t>(stats.f_type), places_.rings.string());
}

Result<void> Feed::recover() {
  if (auto fit = check_place_of_rings(); !fit) return fit;
  files_ = std::make_unique<RuntimeFiles>(places_.rings);
  const auto identity = load_identity(places_.journal);
  if (!identity && identity.error().code != ErrorCode::unknown_feed) return identity.error();
  if (identity) {
    stored_identity_ = *identity;
    if (auto done = files_->adopt(identity->uuid); !done) return done;
  }
  const auto segments = list_segments(places_.journal);
  journal_was_empty_ = !identity && segments && segments->empty();
  if (files_->last_incarnation().failed) drop_page_cache();
  auto recovered = recover_journal(places_.journal, files_->last_incarnation());
  if (!recovered) return recovered.error();
  recovered_ = std::move(*recovered);
  if (!identity) {  // leftovers of a feed whose journal is gone are retired
    if (auto done = files_->adopt(recovered_.identity.uuid); !done) return done;
  }
  files_->make_room_for_held(options_);
  if (auto done = files_->complete(options_, recovered_.identity.uuid, recovered_.ring_can_go_on); !done) return done;
  files_->remove_strays();
  broker_life_ = ++files_->registry_header().broker_life;
  guard_mappings();
  set_fault_state_words(&files_->inbound_header().feed_state, &files_->broadcast_header().feed_state);
  log::info("feed {} ({}) stands at sequence {}, position {}, epoch {:016x}", options_.feed,
            format_uuid(recovered_.identity.uuid), recovered_.end_sequence, recovered_.end_position,
            recovered_.identity.current().id);
  return {};
}

// After a failed sync the page cache may show what never reached the disk: clean pages are dropped, so that recovery
// reads what is really there.
void Feed::drop_page_cache() {
  auto names = list_segments(places_.journal);
  if (!names) return;  // recovery will say so
  log::warn("the last broker failed on the disk: the journal is read back from it, not from the page cache");
  for (const SegmentName& name : *names) {
    const UniqueFd fd(::openat(places_.journal.fd, name.to_string().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.valid()) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

void Feed::guard_mappings() {
  const auto guard = [](const SharedFile& file, FaultKind kind) {
    return FaultRange(file.data(), file.mapping.bytes(), kind, file.fd.get());
  };
  fault_ranges_ = {guard(files_->inbound, FaultKind::shared), guard(files_->doorbell, FaultKind::shared),
                   guard(files_->broadcast, FaultKind::own), guard(files_->registry, FaultKind::own),
                   guard(files_->status, FaultKind::own)};
}

// By what the file system can promise, unless an option says otherwise.
Result<SegmentWrites> Feed::choose_segment_writes() {
  auto found = look_at_file_system(places_.journal);
  if (!found) return found.error();
  switch (options_.journal_writes) {
    case JournalWrites::written: return SegmentWrites::written;
    case JournalWrites::synced: return SegmentWrites::synced;
    case JournalWrites::mapped:
      if (found->writes != SegmentWrites::mapped) {
        log::warn("--journal-writes mapped on {}: {}; a full disk stops it in the middle of a store", found->name,
                  found->why);
      }
      return SegmentWrites::mapped;
    case JournalWrites::automatic: break;
  }
  if (found->writes != SegmentWrites::mapped) {
    log::info("the journal's file system is {}: {}; so segments are written{}, not mapped", found->name, found->why,
              found->writes == SegmentWrites::synced ? " and synced round by round" : "");
  }
  return found->writes;
}

Result<void> Feed::open_journal() {
  auto writes = choose_segment_writes();
  if (!writes) return writes.error();
  pool_ = std::make_unique<SegmentPool>(places_.journal, options_.segment_bytes, options_.sync == SyncPolicy::always,
                                        *writes);
  if (auto done = pool_->clear_leftovers(); !done) return done;
  cursors_ = std::make_unique<CursorTable>(places_.journal, recovered_.identity.uuid);
  cursors_->set_user_share(options_.user_share);
  if (auto done = cursors_->load(); !done) return done;
  // After a kill it stands there already: then a full disk does not keep the feed from starting again.
  if (stored_identity_ != recovered_.identity) {
    identity_stored_ = true;
    auto done = store_identity(places_.journal, recovered_.identity);
    if (!done) return done;
  }
  if (recovered_.tail.empty()) {  // no round is left to be finished
    files_->registry_header().round_position.store(recovered_.end_position);
  }
  if (auto done = open_current_segment(); !done) return done;
  return sync_what_was_left();
}

Result<void> Feed::open_current_segment() {
  journal_ =
      std::make_unique<JournalWriter>(places_.journal, recovered_.identity.uuid,
                                      feed_checksum_seed(recovered_.identity.uuid), recovered_.identity.current().id);
  if (recovered_.needs_segment) {
    auto prepared = pool_->prepare();
    if (!prepared) return prepared.error();
    auto rolled = journal_->roll(std::move(*prepared), recovered_.end_sequence + 1, recovered_.end_position);
    if (!rolled) return rolled.error();
    recovered_.segments.push_back(journal_->current().name);
    return {};
  }
  auto current = pool_->open_current(recovered_.segments.back());
  if (!current) return current.error();
  journal_->attach(std::move(*current), recovered_.end_position - recovered_.segments.back().first_position);
  journal_->repair_index();
  return {};
}

// What the last broker left unsynced is made durable before it is reported so: sealed segments too, as far as no mark
// proves them.
Result<void> Feed::sync_what_was_left() {
  const auto& segments = recovered_.segments;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i + 1].first_position <= recovered_.durable_position) continue;
    const std::string name = segments[i].to_string();
    const UniqueFd sealed(::openat(places_.journal.fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!sealed.valid() || sync_data(sealed.get()) != 0) {
      return system_error(errno, "syncing segment " + places_.journal.file(name));
    }
  }
  if (sync_data(journal_->current().fd.get()) != 0 || sync_all(places_.journal.fd) != 0) {
    return error_at_journal("syncing the journal in ");
  }
  return {};
}

// Brings the ring up to the journal's end. An adopted one already holds all but what was appended and never committed.
Result<void> Feed::set_up_ring() {
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
  if (auto done = fill_ring(from, end); !done) return done;
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

Result<void> Feed::fill_ring(std::uint64_t from, std::uint64_t end) {
  auto files = JournalFiles::open(places_.journal);
  if (!files) return files.error();
  RecordBuffer buffer(kFillBytes);
  ring_.raise_intent(end);
  for (std::uint64_t position = from; position < end;) {
    // The stream leaves a segment where the next one begins, not where its file ends.
    const auto next = std::ranges::upper_bound(files->segments(), position, {}, &SegmentName::first_position);
    const std::uint64_t until = next == files->segments().end() ? end : std::min(end, next->first_position);
    buffer.restart(position);
    if (files->fill(buffer, false, until) != JournalFiles::Fill::ok) {
      Error error = files->error().in("the journal's end cannot be read back");
      error.code = ErrorCode::corrupt;
      return error;
    }
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.capacity(), until - position);
    copy_words_in(ring_.place(position), buffer.room(), bytes);
    position += bytes;
  }
  return {};
}

Result<void> Feed::set_up_stages() {
  const RegistryHeader& registry = files_->registry_header();
  stages_ =
      std::make_unique<Stages>(options_,
                               StageParts{.inbound =
                                              InboundConsumer(files_->inbound.data(), files_->inbound.spec.capacity,
                                                              registry.inbound_head.load(std::memory_order_acquire)),
                                          .ring = ring_,
                                          .journal = std::move(journal_),
                                          .doorbell = &files_->doorbell_header(),
                                          .registry = &files_->registry_header(),
                                          .counters = &files_->status_header().sequencer,
                                          .producer_slots = files_->producer_slots(),
                                          .next_producer_id = std::max({recovered_.next_producer_id,
                                                                        std::uint32_t{registry.next_producer_id}, 1U})},
                               SequencerStart{.position = recovered_.end_position,
                                              .sequence = recovered_.end_sequence,
                                              .last_timestamp_ns = recovered_.last_timestamp_ns,
                                              .feed_seed = feed_checksum_seed(recovered_.identity.uuid),
                                              .tail = recovered_.tail},
                               StageHooks{.wake_control = hooks_.wake_control,
                                          .failed = [this](const Error& error) { on_failure(error); }});
  table_.publish_durable(recovered_.end_sequence);
  registry_ = std::make_unique<ProducerRegistry>(options_, *files_, table_, stages_->lanes, stages_->next_producer_id);
  syncer_ =
      std::make_unique<Syncer>(options_, places_.journal, stages_->handover, *pool_, *cursors_,
                               files_->broadcast_header(), files_->broadcast.spec.capacity, files_->doorbell_header(),
                               files_->status_header().syncer,
                               SyncerHooks{.durable_advanced = [this](std::uint64_t sequence) { on_durable(sequence); },
                                           .wake_sequencer = [this] { stages_->inbound.wake(); },
                                           .failed = [this](const Error& error) { on_failure(error); },
                                           // As when the disk is full: producers are held back, consumers read on.
                                           .held =
                                               [this](bool held) {
                                                 set_state(held ? FeedState::stalled : stages_->handover.state.load());
                                               }});
  if (places_.journal_lock_fd >= 0) syncer_->watch_names(recovered_.identity, places_.journal_lock_fd);
  auto adopted = registry_->adopt(recovered_);
  if (!adopted) return adopted.error();
  adopted_ = std::move(*adopted);
  return {};
}

void Feed::set_state(FeedState state) {
  files_->inbound_header().feed_state.store(state, std::memory_order_release);
  files_->broadcast_header().feed_state.store(state, std::memory_order_release);
  files_->status_header().control.state.store(state, std::memory_order_release);
}

void Feed::on_durable(std::uint64_t sequence) {
  table_.publish_durable(sequence);
  auto& armed = files_->doorbell_header().armed_events;
  if (armed.load(std::memory_order_relaxed) == 0) return;  // after the fence in ring_doorbell and publish_durable
  armed.store(0, std::memory_order_seq_cst);
  hooks_.wake_control();
}

void Feed::on_failure(const Error& error) {
  log::critical(
      "the feed stops accepting: {}; reading goes on; what is on disk is found out at the next start: "
      "repair the disk, then restart leatd",
      error.message);
  set_state(FeedState::failed);
  table_.tell_failure();
  stages_->inbound.wake();
  hooks_.failed(error);
}

void Feed::begin_syncer() {
  syncer_->begin(recovered_.segments, stages_->journal->current().fd.get(), recovered_.last_timestamp_ns);
}

Result<void> Feed::start() {
  try {
    stages_->sequencer.start();
    syncer_->start(recovered_.segments, stages_->journal->current().fd.get(), recovered_.last_timestamp_ns);
  } catch (const std::system_error& error) {
    if (stages_->sequencer.running()) stages_->sequencer.stop();
    return system_error(error.code().value(), "starting a thread");
  }
  return {};
}

void Feed::stop() {
  stop_waiting_for_room();
  stages_->sequencer.stop();
  syncer_->stop();
}

Result<void> Feed::close() {
  const auto marked = stages_->sequencer.append_clean_mark();
  if (!marked) return marked.error();
  const MappedSegment& current = stages_->journal->current();
  const std::string last = places_.journal.file(current.file_name);
  if (sync_data(current.fd.get()) != 0) return system_error(errno, "the last fdatasync, of " + last);
  if (has_no_name(current.fd.get())) {
    return Error{ErrorCode::io_error, "the current segment " + last + " was removed while the feed was served",
                 "restore it from a backup or run leat repair"};
  }
  const std::uint64_t sequence = stages_->sequencer.sequence();
  BroadcastHeader& header = files_->broadcast_header();
  header.durable_sequence.store(sequence, std::memory_order_relaxed);
  header.durable.store(*marked, std::memory_order_release);
  table_.publish_durable(sequence);
  recovered_.identity.closed_position = *marked;
  recovered_.identity.closed_sequence = sequence;
  struct stat status {};
  if (::fstat(current.fd.get(), &status) != 0) return system_error(errno, "fstat of " + last);
  recovered_.identity.closed_change_ns = change_time_ns(status);
  if (auto done = store_identity(places_.journal, recovered_.identity); !done) return done;
  return pool_->clear_leftovers();  // segments made ahead of need: the next broker makes its own
}

}  // namespace leat::broker
