// What clients can write in the files that they are given, set right from what they cannot.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/rings/runtime_files.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

// True if the word was another.
bool repair_word(void* at, std::uint64_t right) noexcept {
  if (load_word(at) == right) return false;
  store_word(at, right);
  return true;
}

bool repair_file_header(const SharedFile& file) noexcept {
  const SharedFileHeader right = make_shared_header(file.spec, FileState::ready);
  bool repaired = false;
  for (std::size_t at = 0; at < sizeof right; at += kWordBytes) {
    repaired |= repair_word(file.data() + at, load_word(reinterpret_cast<const std::byte*>(&right) + at));
  }
  return repaired;
}

}  // namespace

// The state of the feed and the broker's incarnation stand in the broadcast ring too, which no client can write.
bool RuntimeFiles::repair_headers() {
  InboundHeader& ring = inbound_header();
  const BroadcastHeader& truth = broadcast_header();
  bool repaired = repair_file_header(inbound);
  repaired |= repair_file_header(doorbell);
  repaired |= repair_word(&ring.max_producers, producer_slots());
  repaired |= repair_word(&ring.broker_life, truth.broker_life.load(std::memory_order_relaxed));
  // Another thread may be about to change both, this word first: so a difference is nobody's fault.
  const FeedState state = truth.feed_state.load(std::memory_order_acquire);
  if (ring.feed_state.load(std::memory_order_relaxed) != state) ring.feed_state.store(state, std::memory_order_release);
  return repaired;
}

// Before the ring of a dead broker is adopted: the registry, which no client ever had, says what its header must hold.
// It became ready after the ring did, so a ring that says anything else was written over. A ring that was cut is made
// whole again; what its slots said is gone then, but not the entries in the arenas.
void RuntimeFiles::repair_inbound_left_behind() {
  const std::uint32_t slots = registry_header().inbound_slots;
  const SharedFileSpec spec{.magic = kInboundMagic,
                            .feed_uuid = registry.spec.feed_uuid,
                            .instance = registry.spec.instance,
                            .file_bytes = inbound_file_bytes(slots),
                            .capacity = slots};
  const UniqueFd fd(::open((directory_ / "inbound").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (slots == 0 || !fd.valid()) return;
  const SharedFileHeader right = make_shared_header(spec, FileState::ready);
  alignas(SharedFileHeader) std::byte found[sizeof right] = {};
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  const bool whole = size == static_cast<off_t>(spec.file_bytes) &&
                     ::pread(fd.get(), found, sizeof found, 0) == static_cast<ssize_t>(sizeof found);
  if (whole && std::memcmp(found, &right, sizeof right) == 0) return;
  log::warn("the inbound ring that the last broker left was {} by a client, and is set right",
            whole ? "written over" : "cut");
  if (::ftruncate(fd.get(), static_cast<off_t>(spec.file_bytes)) != 0 ||
      ::posix_fallocate(fd.get(), 0, static_cast<off_t>(spec.file_bytes)) != 0 ||
      ::pwrite(fd.get(), &right, sizeof right, 0) != static_cast<ssize_t>(sizeof right)) {
    log::error("the inbound ring could not be set right: {}", std::strerror(errno));
  }
}

}  // namespace leat::broker
