#include "broker/rings/runtime_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <set>

#include "broker/rings/memory_room.h"
#include "broker/rings/arena_reader.h"
#include "broker/log.h"
#include "base/random.h"
#include "shm/ingest/arena_layout.h"

namespace leat::broker {

using namespace internal;

namespace {

// What leatd itself takes while it serves: page tables, stacks, tables by client.
constexpr std::uint64_t kMemoryReserve = 2ULL << 20;

// The size that a capacity asks for. Clients can write the headers of some of these files: what they say of it is
// checked against the real size before anything is found by it.
std::uint64_t bytes_of(std::uint64_t magic, std::uint64_t capacity) {
  const auto slots = static_cast<std::uint32_t>(capacity);
  switch (magic) {
    case kInboundMagic: return std::has_single_bit(capacity) ? inbound_file_bytes(slots) : 0;
    case kRegistryMagic: return registry_file_bytes(slots);
    case kDoorbellMagic: return capacity == slots ? doorbell_file_bytes(slots) : 0;
    case kStatusMagic: return status_file_bytes(capacity >> 32, slots);
    default: return kPageBytes + capacity;
  }
}

SharedFileHeader& header_of(const SharedFile& file) { return *reinterpret_cast<SharedFileHeader*>(file.data()); }

}  // namespace

std::string arena_name(std::uint32_t slot, std::uint32_t generation) {
  return "arena-" + std::to_string(slot) + "-" + std::to_string(generation);
}

InboundHeader& RuntimeFiles::inbound_header() const { return *reinterpret_cast<InboundHeader*>(inbound.data()); }
BroadcastHeader& RuntimeFiles::broadcast_header() const {
  return *reinterpret_cast<BroadcastHeader*>(broadcast.data());
}
DoorbellHeader& RuntimeFiles::doorbell_header() const { return *reinterpret_cast<DoorbellHeader*>(doorbell.data()); }
StatusHeader& RuntimeFiles::status_header() const { return *reinterpret_cast<StatusHeader*>(status.data()); }
RegistryHeader& RuntimeFiles::registry_header() const { return *reinterpret_cast<RegistryHeader*>(registry.data()); }
RegistrySlot* RuntimeFiles::registry_slots() const {
  return reinterpret_cast<RegistrySlot*>(registry.data() + kRegistrySlotsOffset);
}

Result<SharedFile> RuntimeFiles::open(const std::string& name, std::uint64_t magic, Mirror mirror) const {
  const std::filesystem::path path = directory_ / name;
  SharedFile file;
  file.fd = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.fd.valid() && errno == ENOENT) return Error{ErrorCode::unknown_feed, path.string() + " is not there"};
  if (!file.fd.valid()) return system_error(errno, "opening " + path.string());
  auto spec = read_shared_header(file.fd.get(), magic, path.string());
  if (!spec) return spec.error();
  file.spec = *spec;
  file.read_only = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.read_only.valid()) return system_error(errno, "opening " + path.string());
  if (spec->file_bytes != bytes_of(magic, spec->capacity)) {
    return Error{ErrorCode::protocol_error, path.string() + ": its size contradicts its capacity"};
  }
  auto mapping = mirror == Mirror::yes
                     ? Mapping::map_mirrored(file.fd.get(), Access::read_write, kPageBytes, spec->capacity)
                     : Mapping::map(file.fd.get(), Access::read_write, 0, spec->file_bytes);
  if (!mapping) return mapping.error().in(path.string());
  file.mapping = std::move(*mapping);
  file.mapping.populate(Access::read_write);
  return file;
}

Result<SharedFile> RuntimeFiles::create(const std::string& name, const SharedFileSpec& spec, Mirror mirror) const {
  auto created = create_shared_file(directory_ / name, spec);
  if (!created) return created.error();
  return open(name, spec.magic, mirror);
}

Result<void> RuntimeFiles::adopt_one(SharedFile& file, const std::string& name, std::uint64_t magic, Mirror mirror,
                                     const FeedUuid& uuid) {
  auto opened = open(name, magic, mirror);
  if (!opened && opened.error().code == ErrorCode::unknown_feed) return {};
  if (!opened && !is_damage(opened.error())) return opened.error();
  if (!opened) {
    log::warn("cannot adopt {}: {}", (directory_ / name).string(), opened.error().message);
    return {};
  }
  file = std::move(*opened);
  if (file.spec.feed_uuid != uuid || header_of(file).load_state() != FileState::ready) {
    log::warn("{} is of another feed, or was never finished: it is retired", (directory_ / name).string());
    retire(file, name);
  }
  return {};
}

Result<void> RuntimeFiles::adopt(const FeedUuid& uuid) {
  struct Part {
    SharedFile& file;
    const char* name;
    std::uint64_t magic;
    Mirror mirror;
  };
  if (auto done = adopt_one(registry, "registry", kRegistryMagic, Mirror::no, uuid); !done) return done;
  if (registry.valid()) repair_inbound_left_behind();
  for (const Part& part :
       {Part{inbound, "inbound", kInboundMagic, Mirror::no}, Part{broadcast, "broadcast", kBroadcastMagic, Mirror::yes},
        Part{doorbell, "doorbell", kDoorbellMagic, Mirror::no}}) {
    if (auto done = adopt_one(part.file, part.name, part.magic, part.mirror, uuid); !done) return done;
  }
  // The files of one set only make sense together.
  if (!inbound.valid() || !registry.valid() || inbound.spec.instance != registry.spec.instance) {
    retire(inbound, "inbound");
    retire(registry, "registry");
  }
  if (!broadcast.valid() || !doorbell.valid() || broadcast.spec.instance != doorbell.spec.instance) {
    retire(broadcast, "broadcast");
    retire(doorbell, "doorbell");
  }
  return {};
}

LastIncarnation RuntimeFiles::last_incarnation() const {
  LastIncarnation last;
  if (broadcast.valid()) last.epoch = broadcast_header().epoch.load(std::memory_order_relaxed);
  last.ingest = registry.valid();
  if (last.ingest) {
    last.round_position = registry_header().round_position.load(std::memory_order_acquire);
    // A registry of an earlier release does not say it; then its rings do.
    last.ingest_epoch = registry_header().epoch != 0 ? registry_header().epoch : last.epoch;
    last.failed = inbound_header().feed_state.load() == FeedState::failed;
  }
  last.known = broadcast.valid() && registry.valid();
  if (!last.known) return last;
  last.committed = broadcast_header().committed.load(std::memory_order_acquire);
  last.failed = broadcast_header().feed_state.load() == FeedState::failed;
  return last;
}

void RuntimeFiles::retire(SharedFile& file, const std::string& name) {
  const bool ours = !file.valid() || leads_to(name, file.read_only.get()) == Leads::here;
  if (file.valid()) header_of(file).publish_state(FileState::retired);  // those who still have it mapped attach anew
  if (file.valid() && &file == &inbound) {
    // On the line that each publish reads: no event more goes where nobody looks. After the state, which says why.
    inbound_header().broker_life.store(kRetiredLife, std::memory_order_release);
  }
  file = SharedFile{};
  if (ours) ::unlink((directory_ / name).c_str());
}

// What was published lies in an arena from `consumed` on, entry behind entry. Only the registry says how large an entry
// may be that its producer was ever allowed: the arena is the producer's. A producer that lives may be about to publish
// the largest record bound that was reported to it.
std::uint64_t RuntimeFiles::largest_held_entry() {
  std::uint64_t largest = 0;
  for (std::uint32_t i = 0; i < producer_slots(); ++i) {
    const RegistrySlot& slot = registry_slots()[i];
    if (slot.state.load() == SlotState::free || slot.revoked.load() != 0) continue;
    // One of an earlier release does not say.
    const std::uint64_t reported =
        slot.told_batch_bytes == 0 && broadcast.valid() ? broadcast.spec.capacity / 4 : slot.told_batch_bytes;
    const auto file = open_arena(i, slot.generation, slot.arena_bytes);
    if (!file) continue;  // reported when it is taken over
    largest = std::max(largest, std::min(slot.told_record_bytes, max_entry_record_bytes(slot.arena_bytes)));
    const ArenaReader arena(file->file.data(), slot.arena_bytes);
    const std::uint64_t begin = slot.consumed.load();
    std::uint64_t position = begin;
    Entry entry;
    while (position - begin < slot.arena_bytes && arena.read(position, entry)) {
      if (entry.record_bytes <= reported) largest = std::max<std::uint64_t>(largest, entry.record_bytes);
      position += entry_bytes(entry.record_bytes);
    }
  }
  return largest;
}

void RuntimeFiles::make_room_for_held(Options& o) {
  if (!inbound.valid()) return;
  const Options asked = o;
  make_room_for_entry(o, largest_held_entry());
  if (o.ring_bytes == asked.ring_bytes && o.segment_bytes == asked.segment_bytes) return;
  log::warn(
      "producers of the last broker were allowed larger events or batches than --ring-bytes {} and "
      "--segment-bytes {} can carry, and some may wait to be taken: until the next start these are {} and {}",
      asked.ring_bytes, asked.segment_bytes, o.ring_bytes, o.segment_bytes);
}

bool RuntimeFiles::any_slot_used() const {
  for (std::uint32_t i = 0; i < producer_slots(); ++i) {
    if (registry_slots()[i].state.load() != SlotState::free) return true;
  }
  return false;
}

// What goes makes room for what comes; the old status page always does.
Result<void> RuntimeFiles::check_room(const Options& o, bool keep_ring, bool keep_ingest) const {
  std::uint64_t needed = status_file_bytes(o.max_producers, o.max_consumers);
  if (!keep_ingest) needed += arena_file_bytes(o.arena_bytes);  // else a restart could fail where nothing is needed
  if (!keep_ring) needed += broadcast_file_bytes(o.ring_bytes) + doorbell_file_bytes(o.max_consumers);
  if (!keep_ingest) needed += inbound_file_bytes(o.inbound_slots) + registry_file_bytes(o.max_producers);
  rlimit file_size{};
  const std::uint64_t largest = std::max(
      {broadcast_file_bytes(o.ring_bytes), inbound_file_bytes(o.inbound_slots), arena_file_bytes(o.arena_bytes)});
  if (::getrlimit(RLIMIT_FSIZE, &file_size) == 0 && file_size.rlim_cur != RLIM_INFINITY &&
      file_size.rlim_cur < largest) {
    return Error{ErrorCode::no_space,
                 "cannot allocate files of " + std::to_string(largest) + " bytes in " + directory_.string() +
                     ": this process may make them " + std::to_string(file_size.rlim_cur) + " bytes large",
                 "lower --ring-bytes, --arena-bytes or --inbound-slots, or raise the limit on the size of files "
                 "(ulimit -f, LimitFSIZE of systemd)"};
  }
  struct statvfs stats {};
  if (::statvfs(directory_.c_str(), &stats) != 0) return system_error(errno, "statvfs of " + directory_.string());
  const std::uint64_t unused = stats.f_bavail * stats.f_frsize;
  std::uint64_t available = unused;
  if (!keep_ring && broadcast.valid()) available += broadcast.spec.file_bytes + doorbell.spec.file_bytes;
  if (!keep_ingest && inbound.valid()) available += inbound.spec.file_bytes + registry.spec.file_bytes;
  struct stat page {};
  if (::stat((directory_ / "status").c_str(), &page) == 0) available += static_cast<std::uint64_t>(page.st_size);
  if (available >= needed) {
    const std::uint64_t freed = available - unused;
    return check_memory(needed - std::min(needed, freed), "the rings and one arena",
                        "--ring-bytes, --arena-bytes or --inbound-slots");
  }
  return Error{ErrorCode::no_space,
               "not enough shared memory in " + directory_.string() + ": the rings and one arena need " +
                   std::to_string(needed) + " bytes, " + std::to_string(available) + " are free",
               "lower --ring-bytes (now " + std::to_string(o.ring_bytes) +
                   "), --arena-bytes or --inbound-slots, or enlarge it (containers: --shm-size)"};
}

// tmpfs takes its pages from the memory of this process's cgroup, and a cgroup that is full kills where the file system
// would say that there is no room.
Result<void> RuntimeFiles::check_memory(std::uint64_t bytes, const std::string& what,
                                        const std::string& options) const {
  struct statfs system {};
  constexpr long kTmpfsMagic = 0x01021994;
  if (::statfs(directory_.c_str(), &system) != 0 || static_cast<long>(system.f_type) != kTmpfsMagic) return {};
  const MemoryRoom room = find_memory_room();
  if (room.bytes >= kMemoryReserve && room.bytes - kMemoryReserve >= bytes) return {};
  return Error{ErrorCode::no_space,
               "not enough memory for " + what + ": " + std::to_string(bytes) + " bytes are needed, and " +
                   std::to_string(kMemoryReserve) + " besides, but " + room.bound + " leaves " +
                   std::to_string(room.bytes),
               "lower " + options + ", or raise that limit (MemoryMax of systemd, --memory of containers)"};
}

Result<void> RuntimeFiles::create_ingest(const Options& o, const FeedUuid& uuid) {
  const std::uint64_t instance = random_id();
  auto ring = create("inbound",
                     {.magic = kInboundMagic,
                      .feed_uuid = uuid,
                      .instance = instance,
                      .file_bytes = inbound_file_bytes(o.inbound_slots),
                      .capacity = o.inbound_slots},
                     Mirror::no);
  if (!ring) return ring.error();
  auto table = create("registry",
                      {.magic = kRegistryMagic,
                       .feed_uuid = uuid,
                       .instance = instance,
                       .file_bytes = registry_file_bytes(o.max_producers),
                       .capacity = o.max_producers},
                      Mirror::no);
  if (!table) return table.error();
  inbound = std::move(*ring);
  registry = std::move(*table);
  inbound_header().max_producers = o.max_producers;
  registry_header().inbound_slots = static_cast<std::uint32_t>(o.inbound_slots);
  header_of(inbound).publish_state(FileState::ready);
  header_of(registry).publish_state(FileState::ready);
  return {};
}

Result<void> RuntimeFiles::create_broadcast(const Options& o, const FeedUuid& uuid) {
  const std::uint64_t instance = random_id();
  auto ring = create("broadcast",
                     {.magic = kBroadcastMagic,
                      .feed_uuid = uuid,
                      .instance = instance,
                      .file_bytes = broadcast_file_bytes(o.ring_bytes),
                      .capacity = o.ring_bytes},
                     Mirror::yes);
  if (!ring) return ring.error();
  auto bell = create("doorbell",
                     {.magic = kDoorbellMagic,
                      .feed_uuid = uuid,
                      .instance = instance,
                      .file_bytes = doorbell_file_bytes(o.max_consumers),
                      .capacity = o.max_consumers},
                     Mirror::no);
  if (!bell) return bell.error();
  broadcast = std::move(*ring);
  doorbell = std::move(*bell);
  return {};  // made ready by the broker, once it holds the end of the journal
}

Result<void> RuntimeFiles::complete(const Options& o, const FeedUuid& uuid, bool ring_can_go_on) {
  const bool ring_fits = broadcast.valid() && broadcast.spec.capacity == o.ring_bytes &&
                         doorbell.spec.capacity == o.max_consumers &&
                         broadcast_header().max_record_bytes >= max_record_bytes(o);
  const bool keep_ring = broadcast.valid() && ring_fits && ring_can_go_on;
  const bool ingest_fits =
      inbound.valid() && inbound.spec.capacity == o.inbound_slots && registry.spec.capacity == o.max_producers;
  const bool keep_ingest = inbound.valid() && (ingest_fits || any_slot_used());
  // First: a start that fails for want of room must leave what the next one needs to know.
  if (auto room = check_room(o, keep_ring, keep_ingest); !room) return room;
  if (broadcast.valid() && !keep_ring) {
    log::warn("the old broadcast ring is retired ({}); consumers attach to a new one by themselves",
              ring_fits ? "the journal ends below what it showed" : "other options");
    retire(broadcast, "broadcast");
    retire(doorbell, "doorbell");
  }
  if (keep_ingest && !ingest_fits) {
    log::warn("--inbound-slots and --max-producers stay at {} and {} while producers of the last broker are there",
              inbound.spec.capacity, registry.spec.capacity);
  } else if (inbound.valid() && !keep_ingest) {
    retire(inbound, "inbound");
    retire(registry, "registry");
  }
  completing_ = true;
  ring_adopted_ = broadcast.valid();
  ingest_adopted_ = inbound.valid();
  ::unlink((directory_ / "status").c_str());  // first: on a full tmpfs its room is the new one's
  if (!inbound.valid()) {
    if (auto done = create_ingest(o, uuid); !done) return done;
  }
  if (!broadcast.valid()) {
    if (auto done = create_broadcast(o, uuid); !done) return done;
  }
  auto page = create("status",
                     {.magic = kStatusMagic,
                      .feed_uuid = uuid,
                      .instance = random_id(),
                      .file_bytes = status_file_bytes(producer_slots(), consumer_slots()),
                      .capacity = static_cast<std::uint64_t>(producer_slots()) << 32 | consumer_slots()},
                     Mirror::no);
  if (!page) return page.error();
  status = std::move(*page);
  header_of(status).publish_state(FileState::ready);
  return {};
}

Result<ArenaFile> RuntimeFiles::create_arena(std::uint32_t slot, std::uint32_t generation, std::uint64_t bytes) {
  if (auto room = check_memory(arena_file_bytes(bytes), "another producer's arena", "--arena-bytes"); !room)
    return room.error();
  auto file = create(arena_name(slot, generation),
                     {.magic = kArenaMagic,
                      .feed_uuid = inbound.spec.feed_uuid,
                      .instance = inbound.spec.instance,
                      .file_bytes = arena_file_bytes(bytes),
                      .capacity = bytes},
                     Mirror::yes);
  if (!file) return file.error();
  header_of(*file).publish_state(FileState::ready);
  const std::filesystem::path path = directory_ / arena_name(slot, generation);
  UniqueFd for_client(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!for_client.valid()) return system_error(errno, "opening " + path.string());
  const bool client_locks = ::flock(for_client.get(), LOCK_SH | LOCK_NB) == 0;
  FaultRange range(file->data(), file->mapping.bytes(), FaultKind::arena);
  return ArenaFile{.file = std::move(*file),
                   .fault_range = std::move(range),
                   .for_client = std::move(for_client),
                   .client_locks = client_locks};
}

Result<ArenaFile> RuntimeFiles::open_arena(std::uint32_t slot, std::uint32_t generation, std::uint64_t bytes) {
  auto file = open(arena_name(slot, generation), kArenaMagic, Mirror::yes);
  if (!file) return file.error();
  // The header lies in memory that its producer can write: it must say what the registry says.
  if (file->spec.capacity != bytes || file->spec.instance != inbound.spec.instance) {
    return Error{ErrorCode::protocol_error, arena_name(slot, generation) + " does not match the registry"};
  }
  FaultRange range(file->data(), file->mapping.bytes(), FaultKind::arena);
  return ArenaFile{.file = std::move(*file), .fault_range = std::move(range)};
}

void RuntimeFiles::remove_arena(std::uint32_t slot, std::uint32_t generation) {
  ::unlink((directory_ / arena_name(slot, generation)).c_str());
}

void RuntimeFiles::remove_strays() {
  std::set<std::string> known;
  for (std::uint32_t i = 0; i < producer_slots(); ++i) {
    const RegistrySlot& slot = registry_slots()[i];
    if (slot.state.load() != SlotState::free) known.insert(arena_name(i, slot.generation));
  }
  std::uint64_t removed = 0;
  std::error_code failed;
  // A loop over the iterator would throw where the directory cannot be read on: then they stay until the next start.
  for (auto at = std::filesystem::directory_iterator(directory_, failed); !failed && at != std::filesystem::end(at);
       at.increment(failed)) {
    const std::string name = at->path().filename();
    if (name.ends_with(kBesideSuffix)) {
      ::unlink(at->path().c_str());  // the last broker was killed while it repaired a name
    } else if (name.starts_with("arena-") && !known.contains(name) && ::unlink(at->path().c_str()) == 0) {
      ++removed;
    }
  }
  if (removed > 0 && !ingest_adopted_) {
    log::warn(
        "{} arenas of the last broker's producers are given up: the registry that tells what was taken from them is "
        "gone, damaged or of another feed; what they had published and was not taken is lost, and they are told "
        "when they ask",
        removed);
  }
  if (failed) {
    log::warn("arenas that nobody has any more may stay in {}: it cannot be listed: {}", directory_.string(),
              failed.message());
  }
}

std::uint64_t RuntimeFiles::file_system_bytes() const {
  struct statvfs stats {};
  return ::statvfs(directory_.c_str(), &stats) == 0 ? stats.f_blocks * stats.f_frsize : 0;
}

void RuntimeFiles::take_back() {
  if (!completing_) return;
  retire(status, "status");
  if (!ring_adopted_) {
    retire(broadcast, "broadcast");
    retire(doorbell, "doorbell");
  }
  if (!ingest_adopted_) {
    retire(inbound, "inbound");
    retire(registry, "registry");
  }
}

void RuntimeFiles::tell_retired() {
  for (SharedFile* file : {&inbound, &registry, &broadcast, &doorbell})
    header_of(*file).publish_state(FileState::retired);
  inbound_header().broker_life.store(kRetiredLife, std::memory_order_release);
}

void RuntimeFiles::remove_all() {
  retire(inbound, "inbound");
  retire(registry, "registry");
  retire(broadcast, "broadcast");
  retire(doorbell, "doorbell");
  retire(status, "status");
}

}  // namespace leat::broker
