#include "broker/host/reload.h"

#include <cstddef>

namespace leat::broker {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "(nobody else)" : text;
}

}  // namespace

std::vector<Setting> settings_of(const Options& o) {
  const auto number = [](auto value) { return std::to_string(value); };
  constexpr bool kLive = true;
  return {
      {"--feed", o.feed},
      {"--runtime-dir", o.runtime_dir},
      {"--data-dir", o.data_dir},
      {"--ring-bytes", number(o.ring_bytes)},
      {"--inbound-slots", number(o.inbound_slots)},
      {"--arena-bytes", number(o.arena_bytes)},
      {"--max-arena-bytes", number(o.max_arena_bytes)},
      {"--max-producers", number(o.max_producers)},
      {"--max-consumers", number(o.max_consumers)},
      {"--max-event-bytes", number(o.max_event_bytes)},
      {"--segment-bytes", number(o.segment_bytes)},
      {"--retain-bytes", number(o.retain_bytes)},
      {"--retain-seconds", number(o.retain_seconds)},
      {"--retain-events", number(o.retain_events)},
      {"--cursor-hold-bytes", number(o.cursor_hold_bytes)},
      {"--journal-writes", number(static_cast<int>(o.journal_writes))},
      {"--sync", number(static_cast<int>(o.sync))},
      {"--sync-interval-ms", number(o.sync_interval_ms)},
      {"--idle", number(static_cast<int>(o.idle))},
      {"--idle-spin-us", number(o.idle_spin_us)},
      {"--skip-wait-us", number(o.skip_wait_us)},
      {"--allow-publish", joined(o.allow_publish), kLive},
      {"--allow-subscribe", joined(o.allow_subscribe), kLive},
      {"--user-share", number(o.user_share), kLive},
      {"--log-level", o.log_level, kLive},
      {"--log-file", o.log_file},
  };
}

SettingChanges compare_settings(const Options& running, const Options& wanted) {
  const auto before = settings_of(running);
  const auto after = settings_of(wanted);
  SettingChanges changes;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].value == after[i].value) continue;
    if (after[i].live) changes.now.push_back(after[i].option + " " + after[i].value);
    else changes.at_restart.push_back(after[i].option);
  }
  return changes;
}

void take_live_settings(Options& running, const Options& wanted) {
  running.allow_publish = wanted.allow_publish;
  running.allow_subscribe = wanted.allow_subscribe;
  running.user_share = wanted.user_share;
  running.log_level = wanted.log_level;
}

}  // namespace leat::broker
