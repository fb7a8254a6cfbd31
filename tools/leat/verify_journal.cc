#include "tools/leat/verify_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <leat/feed_paths.h>

#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "tools/leat/stop_signal.h"
#include "text/json_writer.h"
#include "text/text_encoding.h"

namespace leat::tool {

using namespace internal;

namespace {

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string sequences(std::uint64_t first, std::uint64_t last) {
  return first == last ? "event " + std::to_string(first)
                       : "events " + std::to_string(first) + " to " + std::to_string(last);
}

// Shows how far the check is, on one line of a terminal that is wiped when it is done.
class ProgressLine {
 public:
  ProgressLine() : shown_(::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (shown_ && percent_ >= 0) std::fputs("\r\x1b[K", stderr);
  }
  void show(const CheckProgress& progress) {
    const int percent =
        progress.bytes_total == 0 ? 100 : static_cast<int>(100 * progress.bytes_done / progress.bytes_total);
    if (!shown_ || percent == percent_) return;
    percent_ = percent;
    std::fprintf(stderr, "\rchecking: %d %% of %llu MiB", percent,
                 static_cast<unsigned long long>(progress.bytes_total >> 20));
    std::fflush(stderr);
  }

 private:
  bool shown_;
  int percent_ = -1;
};

std::string damage_line(const Damage& damage) {
  std::string line = std::string(to_string(damage.kind)) + ": " + damage.file;
  if (damage.kind == DamageKind::records) {
    line += ", offset " + std::to_string(damage.offset) + ", " + counted(damage.bytes, "byte");
  }
  if (damage.from_position < damage.to_position) {
    line += ", positions " + std::to_string(damage.from_position) + " to " + std::to_string(damage.to_position);
  }
  line += ": " + damage.what;
  return damage.loses_events() ? line + "; lost: " + lost_text(damage) : line;
}

}  // namespace

void add_journal_options(cmdline::Command& app, JournalChoice& choice) {
  add_feed_options(app, choice.address);
  // Not by the parser: the variable is no choice of this command line, and must not contradict --journal.
  app.get_option("--feed")->required(false)->envname("");
  app.add_option("-j,--journal", choice.journal,
                 "The directory of the segments, <data-dir>/<feed>, in place of --feed (without both: $LEAT_FEED)")
      ->type_name("DIR");
}

Result<std::string> directory_of(JournalChoice choice) {
  const char* const variable = std::getenv("LEAT_FEED");
  if (choice.journal.empty() && choice.address.feed.empty() && variable != nullptr) choice.address.feed = variable;
  if (choice.journal.empty() == choice.address.feed.empty()) {
    return Error{ErrorCode::invalid_argument, "give --feed NAME or --journal DIR", "one of them"};
  }
  if (!choice.journal.empty()) return choice.journal;
  auto paths = resolve_feed(choice.address);
  if (!paths) return paths.error();
  return paths->journal.string();
}

Result<OpenJournal> open_journal_directory(const JournalChoice& choice) {
  auto directory = directory_of(choice);
  if (!directory) return directory.error();
  UniqueFd fd(::open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) {
    return Error{ErrorCode::unknown_feed, "no journal at " + *directory, "check the path or the feed's name"};
  }
  if (!fd.valid()) return system_error(errno, "opening journal directory " + *directory);
  return OpenJournal{std::move(fd), std::move(*directory)};
}

Result<JournalCheck> check_with_progress(const OpenJournal& journal) {
  ProgressLine line;
  return check_journal(journal.place(), [&](const CheckProgress& progress) {
    line.show(progress);
    return stop_signal() == 0;
  });
}

std::string lost_text(const Damage& damage) {
  return damage.loses_events() ? sequences(damage.first_lost, damage.last_lost) : "no event";
}

std::vector<std::string> report_lines(const std::string& directory, const JournalCheck& check) {
  std::vector<std::string> lines;
  std::string retained = "no event";
  if (check.end_sequence >= check.earliest_sequence) retained = sequences(check.earliest_sequence, check.end_sequence);
  lines.push_back(directory + ": feed " + format_uuid(check.identity.uuid) + ", " +
                  counted(check.segments.size(), "segment") + ", " + std::to_string(check.bytes) + " bytes, " +
                  retained + ", " + counted(check.identity.epochs.size(), "epoch"));
  for (const GapFound& gap : check.gaps) {
    lines.push_back("gap: " + gap.file + ", position " + std::to_string(gap.position) + ": a repair gave up " +
                    sequences(gap.first_missing, gap.last_missing));
  }
  for (const std::string& note : check.notes) lines.push_back("note: " + note);
  if (check.torn_bytes > 0) {
    lines.push_back("note: behind the last record, at position " + std::to_string(check.end_position) + ", lie " +
                    std::to_string(check.torn_bytes) +
                    " bytes that are none; nothing proves that they ever were, and the next start of "
                    "leatd sets them aside");
  }
  for (const Damage& damage : check.damages) lines.push_back("damaged " + damage_line(damage));
  if (check.intact()) {
    lines.push_back("intact: " + counted(check.events, "event") + ", " + counted(check.marks, "mark") + ", " +
                    std::to_string(check.index_entries) + " in the index" +
                    (check.gaps.empty() ? "" : "; gaps as above"));
  } else {
    lines.push_back("damaged: " + counted(check.damages.size(), "place") + ", " +
                    counted(check.events_lost(), "event") + " lost; leat repair says what it can do");
    if (check.cut_behind) {
      lines.push_back(
          "note: none of that was known to be on disk: leatd starts on this journal as it is, and cuts it "
          "behind sequence " +
          std::to_string(*check.cut_behind) + "; leat repair may keep more");
    }
  }
  return lines;
}

std::string report_json(const std::string& directory, const JournalCheck& check) {
  JsonArray gaps;
  for (const GapFound& gap : check.gaps) {
    gaps.add(JsonObject(JsonOrder::by_name)
                 .add("file", gap.file)
                 .add("position", gap.position)
                 .add("first_missing", gap.first_missing)
                 .add("last_missing", gap.last_missing));
  }
  JsonArray damages;
  for (const Damage& damage : check.damages) {
    JsonObject entry(JsonOrder::by_name);
    entry.add("kind", to_string(damage.kind)).add("file", damage.file).add("offset", damage.offset);
    entry.add("bytes", damage.bytes).add("from_position", damage.from_position);
    entry.add("to_position", damage.to_position).add("what", damage.what);
    if (damage.loses_events()) entry.add("first_lost", damage.first_lost).add("last_lost", damage.last_lost);
    damages.add(entry);
  }
  JsonObject root(JsonOrder::by_name);
  root.add("directory", directory).add("intact", check.intact()).add("feed", format_uuid(check.identity.uuid));
  root.add("segments", check.segments.size()).add("bytes", check.bytes).add("events", check.events);
  root.add("marks", check.marks).add("index_entries", check.index_entries);
  root.add("earliest_sequence", check.earliest_sequence).add("latest_sequence", check.end_sequence);
  root.add("end_position", check.end_position).add("torn_bytes", check.torn_bytes);
  root.add("events_lost", check.events_lost()).add("epochs", check.identity.epochs.size());
  root.add("notes", check.notes).add("cut_behind", check.cut_behind).add("gaps", gaps).add("damages", damages);
  if (!is_utf8(directory)) {
    std::string bytes;
    append_base64(bytes, directory);
    root.add("directory_base64", bytes);
  }
  return root.json().text;
}

int run_verify_journal(const VerifyJournalOptions& options) {
  auto journal = open_journal_directory(options.choice);
  if (!journal) return fail(journal.error());
  auto check = check_with_progress(*journal);
  if (stop_signal() != 0) return stopped_status();
  if (!check && check.error().code == ErrorCode::corrupt) return fail(kExitFailed, describe(check.error()));
  if (!check) return fail(check.error());
  Output output;
  if (options.format == "json") {
    output.buffer() += report_json(journal->directory, *check) + "\n";
    output.end_line();
  } else {
    for (const std::string& line : report_lines(journal->directory, *check)) {
      append_escaped(output.buffer(), line, {.keep_backslash = true});
      output.buffer() += '\n';
      output.end_line();
    }
  }
  output.flush();
  return output.status(check->intact() ? kExitOk : kExitFailed);
}

}  // namespace leat::tool
