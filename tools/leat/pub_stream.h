// leat pub --lines and --ndjson: a stream of events from standard input.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <leat/producer.h>

namespace leat::tool {

struct StreamOptions {
  std::string topic;                 ///< of every line; with ndjson of objects that have none
  std::string key;                   ///< wins over an object's own
  std::vector<Header> headers = {};  ///< of every line; not with ndjson
  bool ndjson = false;
  bool keep_going = false;  ///< count bad and refused lines, and go on
  bool json_summary = false;
  bool acks = false;  ///< print what became of each event
  Ack level = Ack::committed;
  std::chrono::nanoseconds timeout = {};
};

/// Publishes until the end of standard input or a stop signal, waits for what was published, prints a summary to
/// standard error and returns the exit status.
int publish_stream(Producer& producer, const StreamOptions& options);

}  // namespace leat::tool
