#include "tools/demo/publish_lines.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include <leat/producer.h>

#include "tools/demo/dpkg_line.h"
#include "tools/demo/input.h"

namespace leat::demo {
namespace {

constexpr std::chrono::seconds kCommitTimeout{30};
// A producer waits for its receipt after so many lines. It need not; but the whole log takes it a millisecond, so
// with fewer cores than producers they would otherwise publish one after the other.
constexpr std::uint64_t kBurstLines = 32;

struct Done {
  std::uint64_t events = 0;
  std::uint64_t last_sequence = 0;  // 0 when there was nothing to publish
};

// False when the parent has gone: then nobody checks, and nothing is published.
bool wait_for_start() {
  char go = 0;
  ssize_t got = 0;
  do {
    got = ::read(STDIN_FILENO, &go, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

Result<std::uint64_t> await_commit(Producer& producer, const Receipt& receipt) {
  auto sequence = producer.wait(receipt, Ack::committed, kCommitTimeout);
  if (!sequence) return sequence.error().in("waiting for the commit");
  return sequence;
}

Result<Done> publish_share(Producer& producer, const Input& input, Share share) {
  Done done;
  for (std::size_t line = share.index; line < input.lines().size(); line += share.count) {
    const std::string_view payload = input.lines()[line];
    const DpkgEvent parsed = parse_dpkg_line(payload);
    const std::string message_id = std::to_string(line + 1);
    auto receipt =
        producer.publish({.topic = parsed.topic, .key = parsed.key, .message_id = message_id, .payload = payload});
    if (!receipt) return receipt.error().in("line " + message_id);
    ++done.events;
    const bool last = line + share.count >= input.lines().size();
    if (!last && done.events % kBurstLines != 0) continue;
    auto sequence = await_commit(producer, *receipt);
    if (!sequence) return std::move(sequence).error();
    done.last_sequence = *sequence;
  }
  return done;
}

int complain(Share share, const Error& error) {
  std::fprintf(stderr, "leat-demo: producer %zu: %s\n", share.index, error.message.c_str());
  return 1;
}

}  // namespace

int publish_lines(const FeedAddress& address, Share share, int input_fd) {
  auto input = Input::inherited(input_fd);
  if (!input) return complain(share, input.error());
  auto producer = Producer::connect({.address = address, .name = "leat-demo-" + std::to_string(share.index)});
  if (!producer) return complain(share, producer.error());
  std::printf("ready %u\n", producer->producer_id());
  std::fflush(stdout);
  if (!wait_for_start()) return 1;
  auto done = publish_share(*producer, *input, share);
  if (!done) return complain(share, done.error());
  std::printf("done %llu %llu\n", static_cast<unsigned long long>(done->events),
              static_cast<unsigned long long>(done->last_sequence));
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace leat::demo
