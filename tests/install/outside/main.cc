// What a user of the installed package writes: connect, publish, receive, and meet an error.
// Usage: outside RUNTIME_DIR DATA_DIR [EXPECTED_ERROR]
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include <leat/leat.h>

namespace {

constexpr int kEvents = 3;
constexpr std::chrono::seconds kPatience{10};

int fail(const std::string& what) {
  std::fprintf(stderr, "outside: %s\n", what.c_str());
  return 1;
}

// Without a broker: `expected` is the name of the error that connecting must give.
int expect_error(const leat::FeedAddress& address, std::string_view expected) {
  const auto producer = leat::Producer::connect({.address = address});
  if (producer) return fail("a producer connected although no broker runs");
  const leat::Error& error = producer.error();
  if (leat::error_name(error.code) != expected) {
    return fail("expected the error " + std::string(expected) + ", got " + std::string(leat::error_name(error.code)) +
                ": " + error.message);
  }
  if (error.message.empty()) return fail("the error " + std::string(expected) + " has no message");
  std::printf("outside: %s, as expected\n", error.message.c_str());
  return 0;
}

int publish_and_receive(const leat::FeedAddress& address) {
  auto consumer = leat::Consumer::connect({.address = address, .start = leat::Start::earliest()});
  if (!consumer) return fail("consumer: " + consumer.error().message);
  auto producer = leat::Producer::connect({.address = address});
  if (!producer) return fail("producer: " + producer.error().message);
  for (int number = 1; number <= kEvents; ++number) {
    const std::string payload = "event " + std::to_string(number);
    const leat::Event event{.topic = "outside.test", .key = "install", .message_id = {}, .payload = payload};
    const auto sequence = producer->publish_and_wait(event, leat::Ack::durable, kPatience);
    if (!sequence) return fail("publish: " + sequence.error().message);
  }
  for (int number = 1; number <= kEvents; ++number) {
    leat::EventView event;
    if (consumer->wait(event, kPatience) != leat::Poll::event) return fail("no event " + std::to_string(number));
    if (event.payload != "event " + std::to_string(number)) return fail("a wrong event " + std::to_string(number));
  }
  std::printf("outside: %d events published, made durable and received\n", kEvents);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("usage: outside RUNTIME_DIR DATA_DIR [EXPECTED_ERROR]");
  const leat::FeedAddress address{.feed = "outside", .runtime_dir = argv[1], .data_dir = argv[2]};
  return argc > 3 ? expect_error(address, argv[3]) : publish_and_receive(address);
}
