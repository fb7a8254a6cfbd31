// leat feeds: what is served or stored on this host, and by whom.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include <leat/feed_status.h>
#include <leat/journal.h>

#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/feed_places.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "tools/leat/stop_signal.h"
#include "text/json_writer.h"
#include "text/table.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

namespace fs = std::filesystem;

struct FeedsOptions {
  FeedAddress address;
  std::string format = "text";
};

struct FoundFeed {
  std::string name = {};
  std::string state = {};  ///< of a broker, or why that is not known, or "stored"
  bool served = false;
  std::string uuid = {};
  std::optional<unsigned> uid = {};
  int pid = 0;
  std::optional<std::uint64_t> earliest = {}, latest = {}, durable = {};
  std::string runtime_dir = {}, data_dir = {};
};

struct Found {
  std::vector<FoundFeed> feeds;
  std::vector<std::string> closed;  ///< directories that this user may not list
};

/// The names in `root`, sorted. Nothing if it cannot be listed, which is noted.
std::vector<std::string> names_in(const fs::path& root, Found& found) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(root, failed), end; !failed && it != end; it.increment(failed)) {
    names.push_back(it->path().filename().string());
  }
  if (failed) found.closed.push_back(root.string());
  std::ranges::sort(names);
  return names;
}

std::string state_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::permission_denied: return "no rights";
    case ErrorCode::untrusted: return "not trusted";
    case ErrorCode::timed_out: return "no answer";
    case ErrorCode::layout_mismatch: return "other release";
    default: return "unknown";
  }
}

std::optional<FoundFeed> look_at_served(const std::string& name, const fs::path& root) {
  FoundFeed feed{.name = name, .served = true, .runtime_dir = root.string()};
  const auto listener = listener_on(root / name / "control.sock");
  if (listener) {
    feed.uid = listener->uid;
    feed.pid = listener->pid;
  }
  auto observer = FeedObserver::connect({.feed = name, .runtime_dir = root.string(), .data_dir = "/"});
  auto status = observer ? observer->read() : Result<FeedStatus>(observer.error());
  if (!status) {
    const ErrorCode code = status.error().code;
    if (code == ErrorCode::no_broker || code == ErrorCode::unknown_feed) return std::nullopt;  // what a broker left
    feed.state = state_for(status.error());
    return feed;
  }
  feed.state = status->state;
  feed.uuid = status->feed_uuid;
  feed.pid = status->broker_pid;
  feed.earliest = status->earliest_sequence;
  feed.latest = status->latest_sequence;
  feed.durable = status->durable_sequence;
  return feed;
}

void look_for_served(const FeedAddress& address, Found& found) {
  for (const fs::path& root : runtime_roots(address)) {
    for (const std::string& name : names_in(root, found)) {
      struct stat status {};
      if (::lstat((root / name / "control.sock").c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) continue;
      if (stop_signal() != 0) return;
      if (auto feed = look_at_served(name, root)) found.feeds.push_back(std::move(*feed));
    }
  }
}

void look_for_stored(const FeedAddress& address, Found& found) {
  for (const fs::path& root : data_roots(address)) {
    for (const std::string& name : names_in(root, found)) {
      const fs::path directory = root / name;
      struct stat status {};
      const bool there = ::lstat((directory / "feed").c_str(), &status) == 0;
      const bool hidden =
          !there && errno == EACCES && ::lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
      if (!there && !hidden) continue;
      if (stop_signal() != 0) return;
      FoundFeed feed{.name = name, .state = "stored", .uid = status.st_uid, .data_dir = root.string()};
      auto journal = hidden ? Result<JournalInfo>(Error{ErrorCode::permission_denied, ""}) : inspect_journal(directory);
      if (journal) {
        const auto same = std::ranges::find_if(found.feeds, [&](const FoundFeed& other) {
          return other.served && !other.uuid.empty() && other.uuid == journal->feed_uuid;
        });
        if (same != found.feeds.end() && same->data_dir.empty()) {
          same->data_dir = root.string();
          continue;
        }
        feed.uuid = journal->feed_uuid;
        feed.earliest = journal->earliest_sequence;
        feed.latest = journal->latest_sequence;
      } else if (journal.error().code == ErrorCode::permission_denied) {
        feed.state = "stored, no rights";
      } else {
        feed.state = "stored, damaged";
      }
      found.feeds.push_back(std::move(feed));
    }
  }
}

std::string text_of(const Found& found) {
  using enum Table::Align;
  Table table({left, left, left, right, right, right, left, left});
  table.add({"feed", "state", "user", "pid", "earliest", "latest", "runtime-dir", "data-dir"});
  const auto number = [](const std::optional<std::uint64_t>& value) { return value ? std::to_string(*value) : "-"; };
  for (const FoundFeed& feed : found.feeds) {
    table.add({feed.name, feed.state, feed.uid ? user_name(*feed.uid) : "-",
               feed.pid > 0 ? std::to_string(feed.pid) : "-", number(feed.earliest), number(feed.latest),
               feed.runtime_dir.empty() ? "-" : feed.runtime_dir, feed.data_dir.empty() ? "-" : feed.data_dir});
  }
  std::vector<std::string> lines;
  if (found.feeds.empty()) {
    lines.emplace_back("no feed is served or stored where this user may look; serve one: leatd --feed NAME");
  } else {
    table.append_to(lines);
  }
  for (const std::string& closed : found.closed) lines.push_back("not to be listed by this user: " + closed);
  std::string text;
  for (const std::string& line : lines) {
    append_escaped(text, line, {.keep_backslash = true});
    text += '\n';
  }
  return text;
}

std::string json_of(const Found& found) {
  JsonArray feeds;
  for (const FoundFeed& feed : found.feeds) {
    const auto unless_empty = [](const std::string& text) {
      return text.empty() ? std::optional<std::string>() : text;
    };
    JsonObject object(JsonOrder::by_name);
    object.add("feed", feed.name).add("state", feed.state).add("served", feed.served).add("uid", feed.uid);
    object.add("user", feed.uid ? std::optional(user_name(*feed.uid)) : std::nullopt);
    object.add("pid", feed.pid > 0 ? std::optional(feed.pid) : std::nullopt);
    object.add("earliest_sequence", feed.earliest).add("latest_sequence", feed.latest);
    object.add("durable_sequence", feed.durable).add("feed_uuid", unless_empty(feed.uuid));
    object.add("runtime_dir", unless_empty(feed.runtime_dir)).add("data_dir", unless_empty(feed.data_dir));
    feeds.add(object);
  }
  return JsonObject(JsonOrder::by_name).add("feeds", feeds).add("closed", found.closed).json().text + "\n";
}

int run_feeds(const FeedsOptions& options) {
  Found found;
  look_for_served(options.address, found);
  look_for_stored(options.address, found);
  if (stop_signal() != 0) return stopped_status();
  Output output;
  output.buffer() += options.format == "json" ? json_of(found) : text_of(found);
  output.flush();
  return output.status(kExitOk);
}

}  // namespace

void register_feeds(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<FeedsOptions>();
  cmdline::Command* const feeds =
      app.add_subcommand("feeds", "List the feeds that are served or stored on this host, and by whom");
  add_directory_options(*feeds, options->address);
  add_choice(*feeds, "--format", options->format, {"text", "json"}, "text: aligned columns; json: one object");
  feeds->footer(
      "Looked at are the directories of the options and the environment, the defaults of this user and of others, "
      "/run/leat and /var/lib/leat. state: of the broker (running, stalled, failed), or why it is not known; stored: "
      "a journal that no broker found here serves. Nothing is changed by looking.");
  commands.push_back({feeds, [options] { return run_feeds(*options); }, {"leat feeds", "leat feeds --format json"}});
}

}  // namespace leat::tool
