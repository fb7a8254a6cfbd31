// leat cursors: the named cursors of a feed.
#include <algorithm>
#include <memory>

#include <leat/feed_paths.h>
#include <leat/journal.h>

#include "tools/leat/broker_wait.h"
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

struct CursorsOptions {
  FeedAddress address;
  BrokerWait wait;
  std::string drop;
  std::string format = "text";
};

std::string text_of(const std::vector<NamedCursor>& cursors, std::uint64_t latest) {
  using enum Table::Align;
  Table table({left, right, right, left, left, right});
  table.add({"name", "sequence", "behind", "cursor", "saved", "user"});
  for (const NamedCursor& cursor : cursors) {
    std::string saved;
    append_iso_time(saved, cursor.saved_ns);
    const std::uint64_t behind = latest > cursor.place.sequence ? latest - cursor.place.sequence : 0;
    std::string name;
    append_escaped(name, cursor.name);
    table.add({name, std::to_string(cursor.place.sequence), std::to_string(behind), cursor.place.to_string(), saved,
               std::to_string(cursor.uid)});
  }
  std::vector<std::string> lines;
  table.append_to(lines);
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::string json_of(const std::vector<NamedCursor>& cursors, std::uint64_t latest) {
  JsonArray list;
  for (const NamedCursor& cursor : cursors) {
    std::string saved;
    append_iso_time(saved, cursor.saved_ns, 9);
    list.add(JsonObject(JsonOrder::by_name)
                 .add("name", cursor.name)
                 .add("sequence", cursor.place.sequence)
                 .add("cursor", cursor.place.to_string())
                 .add("saved_ns", std::to_string(cursor.saved_ns))  // a double would round it
                 .add("saved", saved)
                 .add("uid", cursor.uid));
  }
  return JsonObject(JsonOrder::by_name).add("latest_sequence", latest).add("cursors", list).json().text + "\n";
}

// Dropping is the broker's to do, and only for a cursor that no other consumer has taken.
int drop(const CursorsOptions& options, const std::vector<NamedCursor>& cursors) {
  const auto same = [&](const NamedCursor& cursor) { return cursor.name == options.drop; };
  if (std::ranges::none_of(cursors, same)) {
    return fail(kExitFailed, "no cursor '" + options.drop + "'; leat cursors lists those that there are");
  }
  auto consumer = connect_patiently(options.wait, options.address, [&options] {
    return Consumer::connect(
        {.address = options.address, .name = "leat-cursors", .cursor_name = options.drop, .allow_offline = false});
  });
  if (!consumer) return stop_signal() != 0 ? stopped_status() : fail(consumer.error());
  if (auto dropped = consumer->drop_cursor(); !dropped) return fail(dropped.error());
  return kExitOk;
}

int run_cursors(const CursorsOptions& options) {
  auto paths = resolve_feed(options.address);
  if (!paths) return fail(paths.error());
  auto cursors = list_cursors(paths->journal);
  if (!cursors) {
    const Error& error = cursors.error();
    const std::string elsewhere = error.code == ErrorCode::unknown_feed ? known_elsewhere(options.address) : "";
    return fail(error.with_advice(elsewhere));
  }
  if (!options.drop.empty()) return drop(options, *cursors);
  auto journal = inspect_journal(paths->journal);
  if (!journal) return fail(journal.error());
  Output output;
  output.buffer() += options.format == "json" ? json_of(*cursors, journal->latest_sequence)
                                              : text_of(*cursors, journal->latest_sequence);
  output.end_line();
  output.flush();
  return output.status(kExitOk);
}

}  // namespace

void register_cursors(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<CursorsOptions>();
  cmdline::Command* const cursors = app.add_subcommand(
      "cursors",
      "List a feed's named cursors as the broker last wrote them down, or drop one; needs no broker to list");
  add_feed_options(*cursors, options->address);
  add_wait_option(*cursors, options->wait);
  cursors->add_option("--drop", options->drop,
                      "Forget this cursor: nothing is held for it any more. Refused while a consumer uses it");
  add_choice(*cursors, "--format", options->format, {"text", "json"}, "how to print");
  commands.push_back({cursors,
                      [options] { return run_cursors(*options); },
                      {"leat cursors --feed demo", "leat cursors --feed demo --drop mine"}});
}

}  // namespace leat::tool
