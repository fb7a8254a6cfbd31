#include "broker/options.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <memory>
#include <sstream>

#include <toml++/toml.h>

#include "broker/option_list.h"
#include "cmdline/help_format.h"
#include "cmdline/word_option.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/journal/segment_layout.h"

namespace leat::broker {
namespace {

using shm::QuantityRule;

constexpr std::uint64_t kMinEventBytes = 128;
constexpr std::uint64_t kMaxEventBytes = 256ULL << 20;
constexpr std::uint64_t kMaxConsumers = 1 << 16;
constexpr std::uint64_t kMaxRetainSeconds = 36'500 * shm::kDay / shm::kSecond;  // in nanoseconds it fits 63 bits
constexpr std::uint64_t kUnlimitedHold = INT64_MAX;

constexpr const char* kSizes = "Sizes (bytes, or with K, M, G: powers of 1024)";

template <typename Number>
void add_size(CLI::App& app, const char* name, Number& value, const QuantityRule& rule, const char* text) {
  cmdline::add_number(app, name, value, rule, text)->group(kSizes);
}

void add_sizes(CLI::App& app, Options& o) {
  using Rule = QuantityRule;
  add_size(app, "--ring-bytes", o.ring_bytes, Rule::bytes(shm::kMinRingBytes, shm::kMaxRingBytes),
           "Broadcast ring: how far a consumer may fall behind before it reads the journal; a power of two");
  add_size(app, "--inbound-slots", o.inbound_slots, Rule::slots(shm::kMinInboundSlots, shm::kMaxInboundSlots),
           "Tickets in the inbound ring; a power of two, at least twice --max-producers");
  add_size(app, "--arena-bytes", o.arena_bytes, Rule::bytes(shm::kMinArenaBytes, shm::kMaxArenaBytes),
           "Arena of a producer that asks for no other size; a power of two");
  add_size(app, "--max-arena-bytes", o.max_arena_bytes, Rule::bytes(shm::kMinArenaBytes, shm::kMaxArenaBytes),
           "Largest arena a producer may ask for; a power of two");
  add_size(app, "--max-producers", o.max_producers, Rule::slots(1, shm::kMaxProducerSlots), "Producer handles at once");
  add_size(app, "--max-consumers", o.max_consumers, Rule::slots(1, kMaxConsumers), "Consumers at once");
  add_size(app, "--max-event-bytes", o.max_event_bytes, Rule::bytes(kMinEventBytes, kMaxEventBytes),
           "Largest record: 48 bytes + topic + key + message id + payload");
}

void add_journal(CLI::App& app, Options& o) {
  using Rule = QuantityRule;
  const auto group = "Journal";
  cmdline::add_number(app, "--segment-bytes", o.segment_bytes, Rule::bytes(shm::kMinSegmentBytes, shm::kMaxSegmentBytes),
                      "Size of a segment file; a multiple of 4096")
      ->group(group);
  cmdline::add_number(app, "--retain-bytes", o.retain_bytes, Rule::bytes(0, shm::kMostBytes).or_unlimited(0),
                      "Prune the oldest segments beyond this; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--retain-seconds", o.retain_seconds,
                      Rule::duration(shm::kSecond, 0, kMaxRetainSeconds).or_unlimited(0),
                      "Prune segments whose newest event is older, e.g. 3600, 90s, 15m, 7d; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--retain-events", o.retain_events, Rule::count(0, shm::kMostCount).or_unlimited(0),
                      "Keep at least about this many events, prune beyond; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--cursor-hold-bytes", o.cursor_hold_bytes,
                      Rule::bytes(0, shm::kMostBytes).or_unlimited(kUnlimitedHold),
                      "Named cursors hold what their consumers have not read while the journal is no larger than this, "
                      "whatever the bounds above say; 0: they hold nothing")
      ->group(group);
  cmdline::add_word<SyncPolicy>(
      app, "--sync", o.sync,
      {{"none", SyncPolicy::none}, {"interval", SyncPolicy::interval}, {"always", SyncPolicy::always}},
      "When to fdatasync: never while it runs, every --sync-interval-ms, or again and again (group commit)")
      ->group(group);
  cmdline::add_number(app, "--sync-interval-ms", o.sync_interval_ms, Rule::duration(shm::kMillisecond, 1, 60'000),
                      "For --sync interval")
      ->group(group);
  cmdline::add_word<JournalWrites>(app, "--journal-writes", o.journal_writes,
                                   {{"auto", JournalWrites::automatic},
                                    {"mapped", JournalWrites::mapped},
                                    {"written", JournalWrites::written},
                                    {"synced", JournalWrites::synced}},
                                   "How events get into the journal: mapped (fastest), written (where the file system "
                                   "copies on write), synced (where a server keeps it), auto (by the file system)")
      ->group(group);
}

void add_behaviour(CLI::App& app, Options& o) {
  using Rule = QuantityRule;
  using Idle = shm::IdleStrategy;
  cmdline::add_word<Idle>(app, "--idle", o.idle, {{"adaptive", Idle::adaptive}, {"spin", Idle::spin}, {"block", Idle::block}},
                          "What the sequencer does when idle: adaptive (spin, then sleep), spin (lowest latency, one core), "
                          "block (sleep at once)")
      ->group("Latency");
  cmdline::add_number(app, "--idle-spin-us", o.idle_spin_us, Rule::duration(shm::kMicrosecond, 0, 1'000'000),
                      "How long adaptive spins before it sleeps")
      ->group("Latency");
  cmdline::add_number(app, "--skip-wait-us", o.skip_wait_us, Rule::duration(shm::kMicrosecond, 1, 1'000'000),
                      "How long a ticket may stay unfilled before it is skipped (its producer takes a new one)")
      ->group("Latency");
  app.add_option("--allow-publish", o.allow_publish,
                 "Who may publish besides the broker's own user: user:NAME, group:NAME, uid:N, gid:N or any")
      ->group("Admission");
  app.add_option("--allow-subscribe", o.allow_subscribe, "Who may subscribe besides the broker's own user")
      ->group("Admission");
  cmdline::add_number(app, "--user-share", o.user_share, Rule::count(1, 100),
                      "How much of the slots, named cursors and shared memory one of those others may take, in percent")
      ->group("Admission");
  std::vector<std::pair<std::string, std::string>> levels;
  for (const char* level : {"trace", "debug", "info", "warning", "error", "critical", "off"}) levels.emplace_back(level, level);
  cmdline::add_word(app, "--log-level", o.log_level, levels, "What is logged at least")->group("Log");
  app.add_option("--log-file", o.log_file, "Append the log to this file instead of standard error")->group("Log");
}

// CLI11 reads INI-like files by itself; TOML proper is toml++'s. Keys are the long option names, without the dashes.
class TomlConfig : public CLI::Config {
 public:
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> found;
    try {
      const toml::table table = toml::parse(input);
      for (const auto& [key, node] : table) found.push_back(item(std::string(key.str()), node));
    } catch (const toml::parse_error& error) {
      std::ostringstream where;
      where << error.source().begin;
      throw CLI::FileError("TOML error at " + where.str() + ": " + std::string(error.description()));
    }
    return found;
  }

 private:
  static std::string text_of(const toml::node& node, const std::string& key) {
    // Exact: value() would make a whole number of a float, also of one that none can hold.
    if (const auto text = node.value_exact<std::string>()) return *text;
    if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    if (const auto truth = node.value_exact<bool>()) return *truth ? "true" : "false";
    throw CLI::FileError("key '" + key + "' must be a string, a whole number, true, false or an array of strings");
  }
  static CLI::ConfigItem item(const std::string& key, const toml::node& node) {
    CLI::ConfigItem result;
    result.name = key;
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array) result.inputs.push_back(text_of(element, key));
    } else {
      result.inputs.push_back(text_of(node, key));
    }
    return result;
  }
};

constexpr bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

Error at_odds(const std::string& text) { return {ErrorCode::invalid_argument, text}; }

}  // namespace

void declare_options(CLI::App& app, Options& o) {
  app.set_version_flag("--version", "leatd 0.1.0 (layout version " + std::to_string(shm::kLayoutVersion) + ")");
  app.add_option("--feed", o.feed, "Name of the feed: 1 to 64 of A-Z a-z 0-9 _ -")->required()->envname("LEAT_FEED");
  app.add_option("--runtime-dir", o.runtime_dir,
                 "Rings, arenas and socket go to DIR/<feed>; default $LEAT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/leat, else "
                 "/dev/shm/leat-<uid>");
  app.add_option("--data-dir", o.data_dir,
                 "The journal goes to DIR/<feed>; default $LEAT_DATA_DIR, else ~/.local/share/leat (/var/lib/leat for "
                 "root)");
  app.add_flag("--standby", o.standby,
               "If another broker serves the feed, wait for its end, however that comes, and take over; several may wait");
  cmdline::add_number(app, "--ready-fd", o.ready_fd, QuantityRule::count(1, 1 << 20),
                      "Write a line to this open descriptor, and close it, once the feed is served", "none");
  add_sizes(app, o);
  add_journal(app, o);
  add_behaviour(app, o);
  app.config_formatter(std::make_shared<TomlConfig>());
  app.set_config("--config", "", "TOML file; keys are the long option names, e.g. ring-bytes = \"64M\"; the command "
                                 "line wins");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.formatter(std::make_shared<cmdline::HelpFormatter>([](const CLI::App*) {
    return std::vector<std::string>{"leatd --feed demo", "leatd --feed orders --retain-bytes 20G --retain-seconds 7d --sync always",
                                    "leatd --config /etc/leat/orders.toml"};
  }));
  app.footer("Exit status: 0 clean stop, 1 failed, 2 bad option, 3 another broker serves the feed, 74 I/O error.");
}

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  CLI::App app{"leatd: the broker of one Leat feed. Gives every event a sequence number, journals it and broadcasts it."};
  declare_options(app, parsed.options);
  try {
    cmdline::parse(app, argc, argv);
  } catch (const CLI::Success& done) {
    std::ostringstream out;
    std::ostringstream err;
    parsed.status = app.exit(done, out, err);
    parsed.text = out.str();
    parsed.exit_now = true;
  } catch (const CLI::ParseError& error) {
    parsed.exit_now = true;
    parsed.status = 2;
    parsed.text = "leatd: " + std::string(error.what()) + "; see leatd --help";
  }
  return parsed;
}

std::uint64_t max_record_bytes(const Options& o) {
  return std::min({shm::align_up(o.max_event_bytes, shm::kRecordAlignment), o.ring_bytes / 4,
                   shm::max_segment_batch_bytes(o.segment_bytes)});
}

std::uint64_t max_batch_bytes(const Options& o) noexcept {
  return std::min(o.ring_bytes / 4, shm::max_segment_batch_bytes(o.segment_bytes));
}

void make_room_for_entry(Options& o, std::uint64_t record_bytes) {
  if (record_bytes > o.ring_bytes / 4) o.ring_bytes = std::min(std::bit_ceil(4 * record_bytes), shm::kMaxRingBytes);
  if (record_bytes > shm::max_segment_batch_bytes(o.segment_bytes)) {
    const std::uint64_t own_records = 2 * shm::kMarkRecordBytes + shm::kSegmentReserveBytes;
    o.segment_bytes = shm::segment_size_for(record_bytes + own_records);
  }
}

Result<void> check_options(const Options& o) {
  const std::pair<const char*, std::uint64_t> powers[] = {{"--ring-bytes", o.ring_bytes},
                                                          {"--inbound-slots", o.inbound_slots},
                                                          {"--arena-bytes", o.arena_bytes},
                                                          {"--max-arena-bytes", o.max_arena_bytes}};
  for (const auto& [name, value] : powers) {
    if (!is_power_of_two(value)) {
      return at_odds(std::string(name) + " is " + std::to_string(value) + ", which is not a power of two");
    }
  }
  if (!shm::is_segment_size(o.segment_bytes)) return at_odds("--segment-bytes must be a multiple of 4096");
  if (o.arena_bytes > o.max_arena_bytes) return at_odds("--arena-bytes is larger than --max-arena-bytes");
  if (o.inbound_slots < 2ULL * o.max_producers) {
    return at_odds("--inbound-slots must be at least twice --max-producers (" + std::to_string(2 * o.max_producers) +
                   ")");
  }
  const std::uint64_t wanted = shm::align_up(o.max_event_bytes, shm::kRecordAlignment);
  if (wanted > max_record_bytes(o)) {
    return at_odds("--max-event-bytes " + std::to_string(o.max_event_bytes) + " does not fit: the feed can carry " +
                   std::to_string(max_record_bytes(o)) + " with this --ring-bytes (a quarter of it) and " +
                   "--segment-bytes; lower the one or raise the others");
  }
  return {};
}

}  // namespace leat::broker
