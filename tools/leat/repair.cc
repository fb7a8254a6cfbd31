// leat repair: repairs a damaged journal, and says what that costs before it does.
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "journal/repair/repair_journal.h"
#include "tools/leat/stop_signal.h"
#include "text/text_encoding.h"
#include "tools/leat/verify_journal.h"

namespace leat::tool {

using namespace internal;

namespace {

struct RepairOptions {
  JournalChoice choice;
  bool dry_run = false;
  bool yes = false;
};

/// What will be done about a damage, and what that loses.
std::string remedy_for(const Damage& damage) {
  const std::string lost = lost_text(damage);
  switch (damage.kind) {
    case DamageKind::identity: return "will be written anew";
    case DamageKind::cursors:
      return "will be written anew: if one byte is wrong, with all cursors; else without any, and named cursors begin "
             "anew where their consumers say";
    case DamageKind::name: return "will be renamed";
    case DamageKind::stray: return "will be set aside";
    case DamageKind::size: return "will have its size again";
    case DamageKind::header: return "the header will be written anew";
    case DamageKind::index: return "the index will be made anew from the records";
    case DamageKind::records:
      return damage.loses_events() ? lost + " will be given up: a gap is put there"
                                   : lost + " is lost: a mark that says nothing takes the place";
    case DamageKind::missing_segment:
    case DamageKind::lost_end:
      if (damage.from_position == damage.to_position) return lost + " will be given up: the journal begins anew behind";
      return damage.loses_events() ? lost + " will be given up: a segment with a gap is put there"
                                   : lost + " is lost: a segment without events is put there";
    case DamageKind::contradiction: return "cannot be repaired here";
  }
  return "";
}

void print(Output& output, const std::string& line) {
  append_escaped(output.buffer(), line, {.keep_backslash = true});
  output.buffer() += '\n';
  output.end_line();
}

bool agreed_at_the_terminal() {
  std::fputs("Repair it now? (yes/no) ", stderr);
  std::fflush(stderr);
  char answer[16] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr && std::string_view(answer) == "yes\n";
}

int say_result(const OpenJournal& journal, const RepairReport& report, Output& output) {
  for (const std::string& file : report.kept) print(output, "kept: " + file);
  char epoch[20];
  std::snprintf(epoch, sizeof epoch, "%016llx", static_cast<unsigned long long>(report.epoch));
  print(output, std::string("new epoch ") + epoch + " from sequence " + std::to_string(report.next_sequence) + " on");
  auto again = check_with_progress(journal);
  if (!again) return fail(again.error());
  for (const std::string& line : report_lines(journal.directory, *again)) print(output, line);
  output.flush();
  if (!again->intact()) {
    return fail(kExitFailed, journal.directory + " is damaged still; run leat repair again, and look at the disk");
  }
  return output.status(kExitOk);
}

int run_repair(const RepairOptions& options) {
  if (options.dry_run && options.yes) {
    return fail(kExitUsage, "--dry-run and --yes do not go together; see leat repair --help");
  }
  auto journal = open_journal_directory(options.choice);
  if (!journal) return fail(journal.error());
  // Looking changes nothing: a dry run locks nothing, so it can be made of a read-only copy, and beside a broker.
  auto lock = options.dry_run ? Result<FileLock>(FileLock()) : lock_journal(journal->place());
  if (!lock) return fail(lock.error());
  const std::string worker = options.dry_run ? who_works_on(journal->place()) : "";
  auto check = check_with_progress(*journal);
  if (stop_signal() != 0) return stopped_status();
  if (!check) return fail(check.error());
  Output output;
  if (!worker.empty()) {
    print(output, "note: the journal is in use (its lock: " + worker +
                      "): it changes while it is looked at, and a repair without --dry-run needs it stopped");
  }
  for (const std::string& line : report_lines(journal->directory, *check)) print(output, line);
  for (const Damage& damage : check->damages) print(output, "plan: " + damage.file + ": " + remedy_for(damage));
  output.flush();
  if (check->intact()) return output.status(kExitOk);
  if (options.dry_run) return output.status(kExitFailed);
  if (!options.yes) {
    if (::isatty(STDIN_FILENO) != 1) {
      return fail(kExitFailed, "nothing was changed; say --yes to repair it, after a copy of the directory was made");
    }
    if (!agreed_at_the_terminal()) return fail(kExitFailed, "nothing was changed; repair it with --yes");
  }
  auto report = repair_journal(journal->place(), *check);
  if (!report) return fail(report.error());
  return say_result(*journal, *report, output);
}

}  // namespace

void register_repair(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<RepairOptions>();
  cmdline::Command* const repair = app.add_subcommand(
      "repair",
      "Repair a damaged journal: says what is lost, keeps the damaged bytes aside, leaves gaps that consumers "
      "are told of");
  add_journal_options(*repair, options->choice);
  repair->add_flag("--dry-run", options->dry_run, "Only say what would be done and lost (default: ask, then do it)");
  repair->add_flag("--yes", options->yes, "Do not ask (default: ask at a terminal, elsewhere refuse)");
  repair->footer(
      "Refuses while a broker runs, but --dry-run, which changes and locks nothing. Exit status: 0 intact or "
      "repaired; 1 damaged and not repaired, --dry-run\n"
      "included; others as in leat --help. One that was killed is finished by the next.");
  commands.push_back({repair,
                      [options] { return run_repair(*options); },
                      {"leat repair --feed demo --dry-run", "leat repair --journal /var/lib/leat/demo"}});
}

}  // namespace leat::tool
