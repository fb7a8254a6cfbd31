#include "broker/host/option_list.h"

#include <sstream>

#include "broker/host/toml_config.h"
#include "base/nearest.h"
#include "cmdline/version.h"
#include "cmdline/word_option.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/layout_version.h"
#include "journal/format/format_version.h"
#include "journal/format/segment_layout.h"

namespace leat::broker {
namespace {

using internal::QuantityRule;

constexpr std::uint64_t kMinEventBytes = 128;
constexpr std::uint64_t kMaxEventBytes = 256ULL << 20;
constexpr std::uint64_t kMaxConsumers = 1 << 16;
constexpr std::uint64_t kMaxRetainSeconds =
    36'500 * internal::kDay / internal::kSecond;  // in nanoseconds it fits 63 bits
constexpr std::uint64_t kUnlimitedHold = INT64_MAX;

constexpr const char* kSizes = "Sizes (bytes, or with K, M, G: powers of 1024)";

template <typename Number>
void add_size(cmdline::Command& app, const char* name, Number& value, const QuantityRule& rule, const char* text) {
  cmdline::add_number(app, name, value, rule, text)->group(kSizes);
}

void add_sizes(cmdline::Command& app, Options& o) {
  using Rule = QuantityRule;
  add_size(app, "--ring-bytes", o.ring_bytes, Rule::bytes(internal::kMinRingBytes, internal::kMaxRingBytes),
           "Broadcast ring: how far a consumer may fall behind before it reads the journal; a power of two");
  add_size(app, "--inbound-slots", o.inbound_slots, Rule::slots(internal::kMinInboundSlots, internal::kMaxInboundSlots),
           "Tickets in the inbound ring; a power of two, at least twice --max-producers");
  add_size(app, "--arena-bytes", o.arena_bytes, Rule::bytes(internal::kMinArenaBytes, internal::kMaxArenaBytes),
           "Arena of a producer that asks for no other size; a power of two");
  add_size(app, "--max-arena-bytes", o.max_arena_bytes, Rule::bytes(internal::kMinArenaBytes, internal::kMaxArenaBytes),
           "Largest arena a producer may ask for; a power of two");
  add_size(app, "--max-producers", o.max_producers, Rule::slots(1, internal::kMaxProducerSlots),
           "Producer handles at once");
  add_size(app, "--max-consumers", o.max_consumers, Rule::slots(1, kMaxConsumers), "Consumers at once");
  add_size(app, "--max-event-bytes", o.max_event_bytes, Rule::bytes(kMinEventBytes, kMaxEventBytes),
           "Largest record: 48 bytes + topic + key + message id + payload");
}

void add_journal(cmdline::Command& app, Options& o) {
  using Rule = QuantityRule;
  const auto group = "Journal";
  cmdline::add_number(app, "--segment-bytes", o.segment_bytes,
                      Rule::bytes(internal::kMinSegmentBytes, internal::kMaxSegmentBytes),
                      "Size of a segment file; a multiple of 4096")
      ->group(group);
  cmdline::add_number(app, "--retain-bytes", o.retain_bytes, Rule::bytes(0, internal::kMostBytes).or_unlimited(0),
                      "Prune the oldest segments beyond this; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--retain-seconds", o.retain_seconds,
                      Rule::duration(internal::kSecond, 0, kMaxRetainSeconds).or_unlimited(0),
                      "Prune segments whose newest event is older, e.g. 3600, 90s, 15m, 7d; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--retain-events", o.retain_events, Rule::count(0, internal::kMostCount).or_unlimited(0),
                      "Keep at least about this many events, prune beyond; 0: no bound")
      ->group(group);
  cmdline::add_number(app, "--cursor-hold-bytes", o.cursor_hold_bytes,
                      Rule::bytes(0, internal::kMostBytes).or_unlimited(kUnlimitedHold),
                      "Named cursors hold what their consumers have not read while the journal is no larger than this, "
                      "whatever the bounds above say; 0: they hold nothing")
      ->group(group);
  cmdline::add_word<SyncPolicy>(
      app, "--sync", o.sync,
      {{"none", SyncPolicy::none}, {"interval", SyncPolicy::interval}, {"always", SyncPolicy::always}},
      "When to fdatasync: never while it runs, every --sync-interval-ms, or again and again (group commit)")
      ->group(group);
  cmdline::add_number(app, "--sync-interval-ms", o.sync_interval_ms, Rule::duration(internal::kMillisecond, 1, 60'000),
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

void add_behaviour(cmdline::Command& app, Options& o) {
  using Rule = QuantityRule;
  using Idle = internal::IdleStrategy;
  cmdline::add_word<Idle>(
      app, "--idle", o.idle, {{"adaptive", Idle::adaptive}, {"spin", Idle::spin}, {"block", Idle::block}},
      "What the sequencer does when idle: adaptive (spin, then sleep), spin (lowest latency, one core), "
      "block (sleep at once)")
      ->group("Latency");
  cmdline::add_number(app, "--idle-spin-us", o.idle_spin_us, Rule::duration(internal::kMicrosecond, 0, 1'000'000),
                      "How long adaptive spins before it sleeps")
      ->group("Latency");
  cmdline::add_number(app, "--skip-wait-us", o.skip_wait_us, Rule::duration(internal::kMicrosecond, 1, 1'000'000),
                      "How long a ticket may stay unfilled before it is skipped (its producer takes a new one)")
      ->group("Latency");
  app.add_option("--allow-publish", o.allow_publish,
                 "Who may publish besides the broker's own user: user:NAME, group:NAME, uid:N, gid:N or any")
      ->group("Admission");
  app.add_option("--allow-subscribe", o.allow_subscribe, "Who may subscribe besides the broker's own user")
      ->group("Admission");
  cmdline::add_number(app, "--user-share", o.user_share, Rule::count(1, 100),
                      "How much of the slots, named cursors, shared memory and --cursor-hold-bytes one of those others "
                      "may take, in percent")
      ->group("Admission");
  std::vector<std::pair<std::string, std::string>> levels;
  for (const char* level : {"trace", "debug", "info", "warning", "error", "critical", "off"})
    levels.emplace_back(level, level);
  cmdline::add_word(app, "--log-level", o.log_level, levels, "What is logged at least")->group("Log");
  app.add_option("--log-file", o.log_file, "Append the log to this file instead of standard error")->group("Log");
}

bool may_stand_in_a_file(const std::string& name) { return name != "config" && name != "help" && name != "version"; }

/// " (did you mean ring-bytes?)"
std::string did_you_mean(const cmdline::Command& app, const std::string& typed, const std::string& dashes) {
  std::vector<std::string> known;
  for (const cmdline::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    if (!dashes.empty() || may_stand_in_a_file(name)) known.push_back(dashes + name);
  }
  const std::string meant = internal::nearest(typed.substr(0, typed.find('=')), known);
  return meant.empty() ? "" : " (did you mean " + meant + "?)";
}

/// Of "The following argument was not expected: --ringbytes".
std::string suggestion(const cmdline::Command& app, const std::string& what) {
  const std::size_t word = what.rfind(' ');
  return word == std::string::npos ? "" : did_you_mean(app, what.substr(word + 1), "--");
}

/// A key of the file as words of a command line.
Result<std::vector<std::string>> words_of(const cmdline::Command& app, const ConfigEntry& entry) {
  using Type = ConfigEntry::Type;
  const auto bad = [&](const std::string& text) {
    return Error{ErrorCode::invalid_argument, entry.place + ": " + internal::quoted_text(entry.key) + " " + text};
  };
  const cmdline::Option* const option = app.get_option_no_throw("--" + entry.key);
  if (option == nullptr || !may_stand_in_a_file(entry.key)) {
    return bad("is no option of leatd that may stand here" + did_you_mean(app, entry.key, ""));
  }
  const std::string name = "--" + entry.key;
  if (option->get_items_expected_max() == 0) {
    if (entry.type != Type::truth) return bad("must be true or false");
    return entry.values.front() == "true" ? std::vector<std::string>{name} : std::vector<std::string>{};
  }
  const bool several = option->get_items_expected_max() > 1;
  if (entry.type == Type::texts && !several) return bad("takes one value, no array");
  if (entry.type == Type::truth)
    return bad(cmdline::is_number(*option) ? "must be a whole number, or a string" : "must be a string");
  if (entry.type == Type::whole && !cmdline::is_number(*option)) return bad("must be a string");
  std::vector<std::string> words;
  for (const std::string& value : entry.values) words.push_back(name + "=" + value);
  return words;
}

/// Whether the value is good, said with its place.
Result<void> check_alone(const ConfigEntry& entry, std::vector<std::string> words) {
  OptionList ignored;
  cmdline::Command app;
  declare_options(app, ignored);
  app.get_option("--feed")->required(false);
  try {
    cmdline::parse(app, std::move(words));
  } catch (const cmdline::ParseError& error) {
    return Error{ErrorCode::invalid_argument, entry.place + ": " + error.what()};
  }
  return {};
}

}  // namespace

void declare_options(cmdline::Command& app, OptionList& list) {
  Options& o = list.options;
  app.set_version_flag("--version", std::string("leatd ") + cmdline::kVersion + " (layout version " +
                                        std::to_string(internal::kSharedLayoutVersion) + ", journal format " +
                                        std::to_string(internal::kJournalFormatVersion) + ")");
  app.add_option("--feed", o.feed, "Name of the feed: 1 to 64 of A-Z a-z 0-9 _ -")->required()->envname("LEAT_FEED");
  app.add_option(
      "--runtime-dir", o.runtime_dir,
      "Rings, arenas and socket go to DIR/<feed>; default $LEAT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/leat, else "
      "/dev/shm/leat-<uid>");
  app.add_option("--data-dir", o.data_dir,
                 "The journal goes to DIR/<feed>; default $LEAT_DATA_DIR, else ~/.local/share/leat (/var/lib/leat for "
                 "root)");
  app.add_flag(
      "--standby", o.standby,
      "If another broker serves the feed, wait for its end, however that comes, and take over; several may wait");
  cmdline::add_number(app, "--ready-fd", o.ready_fd, QuantityRule::count(1, 1 << 20),
                      "Write a line to this open descriptor, and close it, once the feed is served", "none");
  add_sizes(app, o);
  add_journal(app, o);
  add_behaviour(app, o);
  app.add_option("--config", list.config,
                 "TOML file; keys are the long option names, e.g. ring-bytes = \"64M\"; the command line wins");
  app.help_with_examples({"leatd --feed demo",
                          "leatd --feed orders --retain-bytes 20G --retain-seconds 7d --sync always",
                          "leatd --config /etc/leat/orders.toml"});
  app.footer("Exit status: 0 clean stop, 1 failed, 2 bad option, 3 another broker serves the feed, 74 I/O error.");
}

Result<std::vector<std::string>> with_config(std::vector<std::string> words) {
  OptionList given;
  cmdline::Command app;
  declare_options(app, given);
  app.get_option("--feed")->required(false);  // it may stand in the file
  cmdline::parse(app, words);
  if (app.count("--config") == 0) return words;
  auto entries = read_config(given.config);
  if (!entries) return entries.error();
  std::vector<std::string> all;
  for (const ConfigEntry& entry : *entries) {
    auto added = words_of(app, entry);
    if (!added) return added.error();
    if (auto checked = check_alone(entry, *added); !checked) return checked.error();
    if (app.count("--" + entry.key) == 0) all.insert(all.end(), added->begin(), added->end());
  }
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  OptionList list;
  cmdline::Command app{
      "leatd: the broker of one Leat feed. Gives every event a sequence number, journals it and broadcasts it."};
  if (argc > 0) app.name(argv[0]);
  declare_options(app, list);
  const auto refuse = [&](const std::string& text) {
    parsed.exit_now = true;
    parsed.status = 2;
    parsed.text = "leatd: " + text + "; see leatd --help";
    return parsed;
  };
  try {
    auto words = with_config(argc > 0 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>());
    if (!words) return refuse(words.error().message);
    cmdline::parse(app, std::move(*words));
  } catch (const cmdline::ParseError& error) {
    if (!error.is_answered())
      return refuse(error.what() + (error.is_unexpected() ? suggestion(app, error.what()) : ""));
    std::ostringstream out;
    std::ostringstream err;
    parsed.status = app.exit(error, out, err);
    parsed.text = out.str();
    parsed.exit_now = true;
  }
  parsed.options = std::move(list.options);
  return parsed;
}

}  // namespace leat::broker
