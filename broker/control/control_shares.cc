// A share for each user, so that none who is let in locks the others out.
#include <sys/statvfs.h>

#include <algorithm>

#include "broker/control/control_server.h"
#include "shm/ingest/arena_layout.h"
#include "journal/format/cursor_file.h"

namespace leat::broker {

using namespace internal;

namespace {

Error over_share(const Peer& peer, std::uint64_t has, const std::string& what, std::uint64_t share,
                 std::uint32_t percent, const std::string& remedy) {
  return {ErrorCode::busy, "user " + std::to_string(peer.uid) + " (pid " + std::to_string(peer.pid) + ") has " +
                               std::to_string(has) + " " + what + ", and the share of one user is " +
                               std::to_string(share) + " (--user-share " + std::to_string(percent) + "); " + remedy +
                               ", or raise that option of leatd"};
}

}  // namespace

Result<void> ControlServer::check_producer_share(const Client& client, std::uint64_t arena_bytes) const {
  std::uint64_t slots = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < files_.producer_slots(); ++i) {
    const RegistrySlot& slot = files_.registry_slots()[i];
    if (slot.state.load() == static_cast<std::uint32_t>(SlotState::free) || slot.uid != client.peer.uid) continue;
    ++slots;
    bytes += arena_file_bytes(slot.arena_bytes);
  }
  const std::uint64_t slot_share = admission_.share_of(client.peer.uid, files_.producer_slots());
  if (slots >= slot_share && slot_share < files_.producer_slots()) {  // else none is left, which is another answer
    return over_share(client.peer, slots,
                      "of this feed's " + std::to_string(files_.producer_slots()) + " producer slots", slot_share,
                      admission_.user_share(), "close some producers");
  }
  const std::uint64_t room = files_.file_system_bytes();
  const std::uint64_t byte_share = admission_.share_of(client.peer.uid, room);
  if (room == 0 || byte_share == room || bytes + arena_file_bytes(arena_bytes) <= byte_share) return {};
  return over_share(client.peer, bytes,
                    "bytes of arenas in the runtime directory's " + std::to_string(room) + " and asks for " +
                        std::to_string(arena_file_bytes(arena_bytes)) + " more",
                    byte_share, admission_.user_share(), "ask for smaller arenas or close some producers");
}

Result<void> ControlServer::check_consumer_share(const Client& client) const {
  const auto same = [&](ClientId id) {
    if (id == 0) return false;
    const auto found = clients_.find(id);
    return found != clients_.end() && found->second.peer.uid == client.peer.uid;
  };
  const auto has = static_cast<std::uint64_t>(std::ranges::count_if(consumers_, same));
  const std::uint64_t share = admission_.share_of(client.peer.uid, consumers_.size());
  if (has < share || share == consumers_.size()) return {};
  return over_share(client.peer, has, "of this feed's " + std::to_string(consumers_.size()) + " consumer slots", share,
                    admission_.user_share(), "close some consumers");
}

Result<void> ControlServer::check_cursor_share(const Client& client) const {
  const std::uint64_t has = cursors_.count_of(client.peer.uid);
  const std::uint64_t share = admission_.share_of(client.peer.uid, kMaxCursors);
  if (has < share || share == kMaxCursors) return {};
  return over_share(client.peer, has, "of this feed's " + std::to_string(kMaxCursors) + " named cursors", share,
                    admission_.user_share(), "drop some cursors (leat cursors --drop)");
}

}  // namespace leat::broker
