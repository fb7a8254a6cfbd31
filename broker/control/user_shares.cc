#include "broker/control/user_shares.h"

#include "broker/control/roster.h"
#include "broker/rings/runtime_files.h"
#include "broker/storage/cursor_table.h"
#include "journal/format/cursor_file.h"
#include "shm/ingest/arena_layout.h"

namespace leat::broker {

using namespace internal;

Error UserShares::over_share(const Peer& peer, std::uint64_t has, const std::string& what, std::uint64_t share,
                             const std::string& remedy) const {
  return {ErrorCode::busy,
          "user " + std::to_string(peer.uid) + " (pid " + std::to_string(peer.pid) + ") has " + std::to_string(has) +
              " " + what + ", and the share of one user is " + std::to_string(share) + " (--user-share " +
              std::to_string(admission_.user_share()) + ")",
          remedy + ", or raise that option of leatd"};
}

// A slot is counted until it is free again: one whose tenant has left may have to be drained first.
Result<void> UserShares::check_producer(const Peer& peer, std::uint64_t arena_bytes) const {
  std::uint64_t slots = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < files_.producer_slots(); ++i) {
    const RegistrySlot& slot = files_.registry_slots()[i];
    if (slot.state.load() == SlotState::free || slot.uid != peer.uid) continue;
    ++slots;
    bytes += arena_file_bytes(slot.arena_bytes);
  }
  const std::uint64_t slot_share = admission_.share_of(peer.uid, files_.producer_slots());
  if (slots >= slot_share && slot_share < files_.producer_slots()) {  // else none is left, which is another answer
    return over_share(peer, slots, "of this feed's " + std::to_string(files_.producer_slots()) + " producer slots",
                      slot_share, "close some producers");
  }
  const std::uint64_t room = files_.file_system_bytes();
  const std::uint64_t byte_share = admission_.share_of(peer.uid, room);
  if (room == 0 || byte_share == room || bytes + arena_file_bytes(arena_bytes) <= byte_share) return {};
  return over_share(peer, bytes,
                    "bytes of arenas in the runtime directory's " + std::to_string(room) + " and asks for " +
                        std::to_string(arena_file_bytes(arena_bytes)) + " more",
                    byte_share, "ask for smaller arenas or close some producers");
}

Result<void> UserShares::check_consumer(const Peer& peer) const {
  const std::uint64_t total = roster_.consumers().size();
  const std::uint64_t has = roster_.count_consumers_of(peer.uid);
  const std::uint64_t share = admission_.share_of(peer.uid, total);
  if (has < share || share == total) return {};
  return over_share(peer, has, "of this feed's " + std::to_string(total) + " consumer slots", share,
                    "close some consumers");
}

Result<void> UserShares::check_cursor(const Peer& peer) const {
  const std::uint64_t has = cursors_.count_of(peer.uid);
  const std::uint64_t share = admission_.share_of(peer.uid, kMaxCursors);
  if (has < share || share == kMaxCursors) return {};
  return over_share(peer, has, "of this feed's " + std::to_string(kMaxCursors) + " named cursors", share,
                    "drop some cursors (leat cursors --drop)");
}

}  // namespace leat::broker
