// leatd's options: from the command line, else from the TOML file, else the default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/idle.h"

namespace leat::broker {

/// What --journal-writes says.
enum class JournalWrites : std::uint8_t { automatic, mapped, written, synced };

enum class SyncPolicy : std::uint8_t {
  none,      ///< only at a clean stop, and when some sealed segments have piled up: the kernel writes when it likes
  interval,  ///< every sync_interval_ms, if there is anything new
  always,    ///< again and again while there is anything new: group commit
};

/// All sizes in bytes. Bounds stand beside each option in options.cc and are shown by --help.
struct Options {
  std::string feed;
  std::string runtime_dir;
  std::string data_dir;
  bool standby = false;  ///< wait for the broker that serves the feed to end, then take over

  std::uint64_t ring_bytes = 16ULL << 20;
  std::uint64_t inbound_slots = 65536;
  std::uint64_t arena_bytes = 1ULL << 20;
  std::uint64_t max_arena_bytes = 64ULL << 20;
  std::uint32_t max_producers = 256;
  std::uint32_t max_consumers = 1024;
  std::uint64_t max_event_bytes = 256ULL << 10;

  std::uint64_t segment_bytes = 64ULL << 20;
  std::uint64_t retain_bytes = 1ULL << 30;
  std::uint64_t retain_seconds = 0;              ///< 0: no bound
  std::uint64_t retain_events = 0;               ///< 0: no bound
  std::uint64_t cursor_hold_bytes = 4ULL << 30;  ///< how large named cursors may let the journal grow; 0: not at all

  SyncPolicy sync = SyncPolicy::interval;
  std::uint32_t sync_interval_ms = 50;
  JournalWrites journal_writes = JournalWrites::automatic;

  internal::IdleStrategy idle = internal::IdleStrategy::adaptive;
  std::uint32_t idle_spin_us = 20;
  std::uint32_t skip_wait_us = 20;

  std::vector<std::string> allow_publish;  ///< "user:NAME", "group:NAME", "uid:N", "gid:N", "any"
  std::vector<std::string> allow_subscribe;
  std::uint32_t user_share = 50;  ///< percent of slots, cursors and shared memory that one other user may take

  std::uint32_t ready_fd = 0;  ///< written to, and closed, once the feed is served; 0: none

  std::string log_level = "info";
  std::string log_file;
};

/// Outcome of parsing: options to run with, or text to print and a status to exit with.
struct ParsedOptions {
  Options options;
  bool exit_now = false;
  int status = 0;
  std::string text;  ///< for standard output if status is 0, else one line for standard error
};

ParsedOptions parse_options(int argc, const char* const* argv);

/// Checks how the options fit together (sizes are powers of two, an event fits ring, arena and segment, ...).
/// Error: invalid_argument, naming the options at odds and what would do.
Result<void> check_options(const Options& options);

/// What fits together, and may yet surprise: for the log, a line each.
std::vector<std::string> remarks(const Options& options);

/// Bound on a padded record that all of ring, arena and segment can carry.
std::uint64_t max_record_bytes(const Options& options);

/// The most record bytes that one entry may bring to a feed with these options.
std::uint64_t max_batch_bytes(const Options& options) noexcept;

/// Makes ring and segments large enough for an entry of so many record bytes, if they are not.
void make_room_for_entry(Options& options, std::uint64_t record_bytes);

}  // namespace leat::broker
