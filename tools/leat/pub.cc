// leat pub: publishes one event, or a stream of them.
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "tools/leat/broker_wait.h"
#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/line_reader.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "tools/leat/pub_stream.h"
#include "tools/leat/publisher.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

constexpr std::chrono::seconds kDefaultTimeout{30};
constexpr std::size_t kMaxFieldBytes = 255;

struct PubOptions {
  FeedAddress address;
  BrokerWait wait;
  std::string name = "leat-pub";
  std::string topic;
  std::string key;
  std::string message_id;
  std::vector<std::string> headers;
  bool tombstone = false;
  std::optional<std::string> payload;
  std::string ack = "committed";
  std::string format = "text";
  bool lines = false;
  bool ndjson = false;
  bool keep_going = false;
  bool acks = false;
  std::chrono::nanoseconds timeout = kDefaultTimeout;
};

Ack level_of(const std::string& name) {
  return name == "accepted" ? Ack::accepted : name == "durable" ? Ack::durable : Ack::committed;
}

/// NAME=VALUE, as views. Nothing where there is no name.
std::optional<Header> header_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return std::nullopt;
  return Header{.name = std::string_view(text).substr(0, equals), .value = std::string_view(text).substr(equals + 1)};
}

/// Of options that complaint_about() finds nothing wrong with.
std::vector<Header> headers_of(const PubOptions& options) {
  std::vector<Header> headers;
  for (const std::string& text : options.headers) headers.push_back(*header_of(text));
  return headers;
}

/// What is wrong with the headers or a deletion, if anything.
std::string complaint_about_extras(const PubOptions& options) {
  const bool stream = options.lines || options.ndjson;
  if (stream && !options.headers.empty() && options.ndjson)
    return "--header names a single event: with --ndjson give each object its headers";
  for (const std::string& text : options.headers) {
    if (!header_of(text)) return "--header '" + text + "' is not NAME=VALUE";
  }
  if (!options.tombstone) return {};
  if (stream) return "--delete deletes one key: with --ndjson give each object its tombstone";
  if (options.key.empty()) return "--delete needs the key to be deleted: give --key";
  if (options.payload) return "--delete takes no payload: leave it out";
  return {};
}

/// What is wrong with the options taken together, if anything.
std::string complaint_about(const PubOptions& options) {
  const bool stream = options.lines || options.ndjson;
  if (options.lines && options.ndjson) return "--lines and --ndjson exclude each other: give one";
  if (stream && options.payload) return "a PAYLOAD and --lines or --ndjson exclude each other: give one";
  if (stream && !options.message_id.empty()) {
    return "--message-id names a single event: with --ndjson give each object its message_id";
  }
  if (options.keep_going && !stream) return "--keep-going is for --lines and --ndjson: leave it out";
  if (options.acks && !stream)
    return "--acks is for --lines and --ndjson: with --format json a single event says the same";
  if (options.acks && options.ack == "accepted")
    return "--acks tells sequences: give --ack committed or durable with it";
  if (options.topic.empty() && !options.ndjson) return "no topic: give --topic, e.g. --topic session.created";
  if (!options.topic.empty()) {
    if (auto checked = check_topic(options.topic); !checked) return describe(checked.error(), "--topic");
  }
  if (options.key.size() > kMaxFieldBytes) return "--key is over 255 bytes: shorten it";
  if (options.message_id.size() > kMaxFieldBytes) return "--message-id is over 255 bytes: shorten it";
  if (std::string complaint = complaint_about_extras(options); !complaint.empty()) return complaint;
  if (!stream && !options.payload && !options.tombstone && ::isatty(STDIN_FILENO) == 1) {
    return "no payload: give PAYLOAD, or --lines, or pipe it into standard input";
  }
  return {};
}

void print_outcome(std::string& out, const PubOptions& options, std::uint64_t sequence, const Producer& producer) {
  if (options.format == "json") {
    out += "{\"ack\":\"" + options.ack + '"';
    if (sequence != 0) out += ",\"sequence\":" + std::to_string(sequence);
    out += ",\"producer_id\":" + std::to_string(producer.producer_id()) +
           ",\"producer_sequence\":" + std::to_string(producer.last_producer_sequence()) + "}\n";
  } else if (sequence != 0) {
    out += std::to_string(sequence) + '\n';
  }
}

int publish_one(Producer& producer, const PubOptions& options) {
  std::string payload;
  if (options.payload) {
    payload = *options.payload;
  } else if (!options.tombstone) {
    auto all = read_all(STDIN_FILENO, producer.max_event_bytes(), event_bound(producer));
    if (stop_signal() != 0) return stopped_status();
    if (!all) return fail(all.error());
    payload = std::move(*all);
  }
  std::optional<Error> refusal;
  Publisher publisher(producer, level_of(options.ack), options.timeout,
                      [&](std::uint64_t, const Error& error) { refusal = error; });
  const std::vector<Header> headers = headers_of(options);
  auto done = publisher.publish({.topic = options.topic,
                                 .key = options.key,
                                 .message_id = options.message_id,
                                 .payload = payload,
                                 .tombstone = options.tombstone,
                                 .headers = headers},
                                1);
  if (done) done = publisher.finish();
  const bool waited = !done && (done.error().code == ErrorCode::timed_out || done.error().code == ErrorCode::pending);
  if (waited && stop_signal() != 0) return stopped_status();
  if (!done) return fail(done.error());
  if (refusal) return fail(*refusal);
  Output output;
  const std::uint64_t sequence = options.ack == "accepted" ? 0 : publisher.totals().first_sequence;
  print_outcome(output.buffer(), options, sequence, producer);
  output.flush();
  return output.status(kExitOk);
}

int run_pub(const PubOptions& options) {
  if (const std::string complaint = complaint_about(options); !complaint.empty()) {
    return fail(kExitUsage, complaint + "; see leat pub --help");
  }
  auto producer = connect_patiently(options.wait, options.address, [&options] {
    return Producer::connect(
        {.address = options.address, .name = options.name, .publish_timeout = Publisher::kPublishSlice});
  });
  if (!producer) return stop_signal() != 0 ? stopped_status() : fail(producer.error());
  if (!options.lines && !options.ndjson) return publish_one(*producer, options);
  return publish_stream(*producer, {.topic = options.topic,
                                    .key = options.key,
                                    .headers = headers_of(options),
                                    .ndjson = options.ndjson,
                                    .keep_going = options.keep_going,
                                    .json_summary = options.format == "json",
                                    .acks = options.acks,
                                    .level = level_of(options.ack),
                                    .timeout = options.timeout});
}

void add_pub_options(cmdline::Command& pub, PubOptions& options) {
  add_feed_options(pub, options.address);
  add_wait_option(pub, options.wait);
  pub.add_option("--name", options.name, "Shown by leat stat (default: leat-pub)")->type_name("NAME");
  pub.add_option(
      "-t,--topic", options.topic,
      "Dot-separated topic, 1 to 255 printable bytes (required; with --ndjson the default for objects without)");
  pub.add_option("-k,--key", options.key,
                 "The entity the event is about, 0 to 255 bytes; wins over an object's own key (default: none)");
  pub.add_option("--message-id", options.message_id, "Carried to consumers, 0 to 255 bytes (default: none)");
  pub.add_option("-H,--header", options.headers,
                 "A header of the event, NAME=VALUE, such as content-type=application/json; may be given again, up to "
                 "64 times and 4096 bytes together; not with --ndjson (default: none)")
      ->type_name("NAME=VALUE")
      ->one_value_each();
  pub.add_flag("--delete", options.tombstone,
               "Publish that the key is deleted (a tombstone): needs --key, takes no payload (default: off)");
  pub.add_option(
      "PAYLOAD", options.payload,
      "The event's payload, any bytes, up to the feed's bound (default: all of standard input, unless that is "
      "a terminal); write -- before one that starts with a dash");
  pub.add_flag("--lines", options.lines, "Publish each line of standard input as an event (default: off)");
  pub.add_flag(
      "--ndjson", options.ndjson,
      "Publish each line of standard input, a JSON object with topic, key, message_id, payload (a string, or any "
      "JSON value) or payload_base64, headers (an object of strings), tombstone (true: the key is deleted) and durable "
      "(false: do not publish, only count) (default: off)");
  pub.add_flag("--keep-going", options.keep_going,
               "With --lines or --ndjson: report a bad or refused line and go on (default: stop there)");
  pub.add_flag(
      "--acks", options.acks,
      "With --lines or --ndjson: print a JSON object for each line, in order, as soon as its event has come to the "
      "level of --ack: {\"line\":N,\"sequence\":N,...}, or {\"line\":N,\"error\":CODE,\"message\":...} (default: off)");
  add_choice(pub, "--ack", options.ack, {"accepted", "committed", "durable"},
             "How far events must have come before leat ends well: handed over; journaled; on disk");
  add_choice(pub, "--format", options.format, {"text", "json"},
             "Of what is printed: the sequence of a single event, the summary of a stream");
  add_seconds(pub, "--timeout", options.timeout, 0.001, kMaxSeconds, "Longest wait for room or an acknowledgement",
              "30");
}

}  // namespace

void register_pub(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<PubOptions>();
  cmdline::Command* const pub = app.add_subcommand("pub", "Publish an event, or each line of standard input");
  add_pub_options(*pub, *options);
  pub->footer(
      "A single event's sequence goes to standard output (not with --ack accepted). A stream ends with a summary "
      "on standard error: published, refused, ephemeral skipped, first..last sequence. With --ack accepted what the "
      "broker refuses within a second after the last event is counted too.");
  commands.push_back({pub,
                      [options] { return run_pub(*options); },
                      {"leat pub --feed demo --topic session.created --key s1 hello",
                       "leat pub --feed demo --topic line.x --lines --ack durable < file",
                       "leat pub --feed demo --ndjson --acks < events.ndjson"}});
}

}  // namespace leat::tool
