// Which journal `leat verify` and `leat repair` work on, and how they say what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include <leat/feed_address.h>

#include "base/unique_fd.h"
#include "cmdline/command.h"
#include "journal/check/check_journal.h"

namespace leat::tool {

struct JournalChoice {
  FeedAddress address = {};
  std::string journal = {};  ///< the directory itself, in place of a feed's name
};
void add_journal_options(cmdline::Command& app, JournalChoice& choice);
/// The journal's directory. Errors: invalid_argument.
Result<std::string> directory_of(JournalChoice choice);

struct OpenJournal {
  internal::UniqueFd fd;
  std::string directory;
  /// The same, borrowed.
  [[nodiscard]] internal::JournalDirectory place() const { return {.fd = fd.get(), .path = directory}; }
};
/// Errors: unknown_feed, io_error.
Result<OpenJournal> open_journal_directory(const JournalChoice& choice);

/// check_journal(), with progress on standard error if that is a terminal; a stop signal ends it.
Result<internal::JournalCheck> check_with_progress(const OpenJournal& journal);

/// Lines for people, without newlines: what is there, each damaged range, each gap.
std::vector<std::string> report_lines(const std::string& directory, const internal::JournalCheck& check);
/// The same as a JSON object. A directory may be any bytes: what is not UTF-8 shows as U+FFFD, and stands beside it in
/// base64.
std::string report_json(const std::string& directory, const internal::JournalCheck& check);
/// "events 7 to 9" or "no event".
std::string lost_text(const internal::Damage& damage);

struct VerifyJournalOptions {
  JournalChoice choice = {};
  std::string format = "text";
};
int run_verify_journal(const VerifyJournalOptions& options);

}  // namespace leat::tool
