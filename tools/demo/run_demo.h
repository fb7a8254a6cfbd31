// The demo itself: subscribe, let the producers go, receive, check.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include <leat/feed_address.h>

namespace leat::demo {

struct DemoOptions {
  FeedAddress address;
  std::string input;          ///< a file of lines; "-" is standard input
  std::size_t producers = 4;  ///< processes; never more than there are lines
  bool quiet = false;         ///< print the summary only
};

/// Returns the exit status: 0 if every check passed. Events and summary go to standard output, errors to standard
/// error.
int run_demo(const DemoOptions& options);

/// Whether the process `pid` serves the feed now: 0 if so, 1 if not. Prints why not on standard error.
int probe(const FeedAddress& address, pid_t pid);

}  // namespace leat::demo
