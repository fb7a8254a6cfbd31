// What a user of the installed package writes: connect, publish, receive. Usage: outside RUNTIME_DIR DATA_DIR [no_broker]
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

int expect_no_broker(const leat::FeedAddress& address) {
  const auto producer = leat::Producer::connect({.address = address});
  if (producer) return fail("a producer connected although no broker runs");
  if (producer.error().code != leat::ErrorCode::no_broker) {
    return fail("expected no_broker, got " + std::string(leat::error_name(producer.error().code)) + ": " +
                producer.error().message);
  }
  if (producer.error().message.empty()) return fail("the error no_broker has no message");
  std::printf("outside: no broker, as expected: %s\n", producer.error().message.c_str());
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
  if (argc < 3) return fail("usage: outside RUNTIME_DIR DATA_DIR [no_broker]");
  const leat::FeedAddress address{.feed = "outside", .runtime_dir = argv[1], .data_dir = argv[2]};
  const bool without_broker = argc > 3 && std::string_view(argv[3]) == "no_broker";
  return without_broker ? expect_no_broker(address) : publish_and_receive(address);
}
