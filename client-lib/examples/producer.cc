#include <leat/leat.h>
#include <iostream>

int main() {
  auto producer = leat::Producer::connect({.address = {.feed = "demo"}});
  if (!producer) return std::cerr << producer.error().message << '\n', 1;
  auto done = producer->publish_and_wait({.topic = "session.created", .key = "s1", .payload = "hello"},
                                         leat::Ack::committed, std::chrono::seconds(5));
  if (!done) return std::cerr << done.error().message << '\n', 1;
  std::cout << "sequence " << *done << '\n';
}
