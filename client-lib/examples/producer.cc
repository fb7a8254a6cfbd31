#include <leat/leat.h>
#include <iostream>

int main() {
  auto producer = leat::Producer::connect({.address = {.feed = "demo"}});
  if (!producer) return std::cerr << producer.error().message << '\n', 1;
  leat::Receipt receipt;
  auto done = producer->publish_and_wait({.topic = "session.created", .key = "s1", .payload = "hello"},
                                         leat::Ack::committed, std::chrono::seconds(5), &receipt);
  while (!done && done.error().code == leat::ErrorCode::pending) {  // published: wait on, for again would be twice
    std::cerr << done.error().message << '\n';
    done = producer->wait(receipt, leat::Ack::committed, std::chrono::seconds(5));
  }
  if (!done) return std::cerr << done.error().message << '\n', 1;  // e.g. timed_out: nothing was published
  std::cout << "sequence " << *done << '\n';
}
