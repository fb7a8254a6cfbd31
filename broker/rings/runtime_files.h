// The files on tmpfs that make up a running feed: made, or adopted from the broker before.
//
//   <runtime>/control.sock
//   <runtime>/shm/              open to the broker's user alone (0700); clients get descriptors, never paths
//     lock
//     inbound  registry  arena-<slot>-<generation>      one set: ingest
//     broadcast  doorbell                               one set: broadcast
//     status
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <leat/result.h>

#include "broker/rings/registry_layout.h"
#include "broker/fault_guard.h"
#include "broker/last_incarnation.h"
#include "broker/options.h"
#include "base/mapping.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// One shared file, open, mapped and checked.
struct SharedFile {
  internal::UniqueFd fd;         ///< read-write
  internal::UniqueFd read_only;  ///< another open file description: what consumers and observers get
  internal::Mapping mapping;
  internal::SharedFileSpec spec;

  [[nodiscard]] bool valid() const noexcept { return mapping.valid(); }
  [[nodiscard]] std::byte* data() const noexcept { return mapping.data(); }
};

/// What the name of a file ends in that is about to take its place.
inline constexpr std::string_view kBesideSuffix = ".named";

/// The file of a producer's arena.
std::string arena_name(std::uint32_t slot, std::uint32_t generation);

/// A producer's arena, mapped.
struct ArenaFile {
  SharedFile file;
  FaultRange fault_range;
  internal::UniqueFd for_client = {};  ///< of a new one: what its producer maps, an open file description of its own
  bool client_locks = false;  ///< with a shared lock, which is there as long as that description: as that mapping
};

/// Why a file cannot be opened: damage stays; anything else (no memory, no descriptor, an I/O error) may pass.
inline bool is_damage(const Error& error) noexcept {
  return error.code == ErrorCode::protocol_error || error.code == ErrorCode::layout_mismatch;
}

/// The set. Not thread-safe; made before the threads start.
class RuntimeFiles {
 public:
  explicit RuntimeFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Opens what an earlier broker of the same feed left. What is damaged, of another feed or layout is left out, with a
  /// line in the log. Error: what cannot be opened or mapped just now, as accepted events may lie in it.
  Result<void> adopt(const internal::FeedUuid& uuid);
  [[nodiscard]] LastIncarnation last_incarnation() const;

  /// Makes ring and segments of `options` as large as the entries that the last broker's producers have published, and
  /// that were not taken yet, with a line in the log: they were accepted.
  void make_room_for_held(Options& options);

  /// Makes what is missing, and retires what options or journal no longer fit. After it all files are there.
  /// Errors: no_space (with the sum needed), io_error.
  Result<void> complete(const Options& options, const internal::FeedUuid& uuid, bool ring_can_go_on);

  Result<ArenaFile> create_arena(std::uint32_t slot, std::uint32_t generation, std::uint64_t bytes);
  /// Errors: unknown_feed if it is not there any more; protocol_error or layout_mismatch if it is damaged; others may
  /// pass.
  Result<ArenaFile> open_arena(std::uint32_t slot, std::uint32_t generation, std::uint64_t bytes);
  void remove_arena(std::uint32_t slot, std::uint32_t generation);
  /// Removes arenas that no slot of the registry names, and names half repaired: a broker was killed while it made or
  /// removed them.
  void remove_strays();

  /// Sets right what clients have written over in the headers that they can write; what other clients do while they
  /// believe it, they do not believe for long. True if anything had to be. Control thread.
  bool repair_headers();

  /// Looks whether the names of all files still lead to them. One that was renamed gets its name back; one that was
  /// removed cannot be named again. Returns the path of the first of these, if any. Control thread, now and then.
  std::optional<std::filesystem::path> repair_names(const std::vector<std::pair<std::uint32_t, int>>& arenas);

  /// A start is refused: removes what complete() has made, and leaves what an earlier broker left.
  void take_back();
  /// Tells all who have them mapped that these files are not to be used any more; we go on with them for a last round.
  void tell_retired();
  /// Retires and removes everything: nobody is left who could want it.
  void remove_all();

  [[nodiscard]] internal::InboundHeader& inbound_header() const;
  [[nodiscard]] internal::BroadcastHeader& broadcast_header() const;
  [[nodiscard]] internal::DoorbellHeader& doorbell_header() const;
  [[nodiscard]] internal::StatusHeader& status_header() const;
  [[nodiscard]] RegistryHeader& registry_header() const;
  [[nodiscard]] RegistrySlot* registry_slots() const;
  [[nodiscard]] std::uint32_t producer_slots() const { return static_cast<std::uint32_t>(registry.spec.capacity); }
  [[nodiscard]] std::uint32_t consumer_slots() const { return static_cast<std::uint32_t>(doorbell.spec.capacity); }
  /// Size of the file system that they lie on; 0 if it cannot be found out.
  [[nodiscard]] std::uint64_t file_system_bytes() const;
  [[nodiscard]] bool ring_adopted() const noexcept { return ring_adopted_; }
  [[nodiscard]] bool ingest_adopted() const noexcept { return ingest_adopted_; }

  SharedFile inbound;
  SharedFile registry;
  SharedFile broadcast;
  SharedFile doorbell;
  SharedFile status;

 private:
  enum class Mirror : bool { no, yes };
  Result<SharedFile> open(const std::string& name, std::uint64_t magic, Mirror mirror) const;
  Result<SharedFile> create(const std::string& name, const internal::SharedFileSpec& spec, Mirror mirror) const;
  Result<void> adopt_one(SharedFile& file, const std::string& name, std::uint64_t magic, Mirror mirror,
                         const internal::FeedUuid& uuid);
  void repair_inbound_left_behind();
  void retire(SharedFile& file, const std::string& name);
  Result<void> create_ingest(const Options& options, const internal::FeedUuid& uuid);
  Result<void> create_broadcast(const Options& options, const internal::FeedUuid& uuid);
  [[nodiscard]] bool any_slot_used() const;
  [[nodiscard]] std::uint64_t largest_held_entry();
  Result<void> check_room(const Options& options, bool keep_ring, bool keep_ingest) const;
  Result<void> check_memory(std::uint64_t bytes, const std::string& what, const std::string& options) const;

  enum class Named : std::uint8_t { yes, again, no };
  Named repair_name(const std::string& name, int fd) const;
  enum class Leads : std::uint8_t { here, elsewhere, unknown };  // a look that failed says nothing
  [[nodiscard]] Leads leads_to(const std::string& name, int fd) const;

  std::filesystem::path directory_;
  std::size_t next_arena_ = 0;  // to be looked at by repair_names()
  bool completing_ = false;
  bool ring_adopted_ = false;
  bool ingest_adopted_ = false;
};

}  // namespace leat::broker
