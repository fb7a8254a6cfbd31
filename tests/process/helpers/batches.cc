// A helper that publishes batches of many sizes. Message ids are "<batch>/<place>/<size>".
#include <cstdio>
#include <string>
#include <vector>

#include <leat/producer.h>

#include "process/helpers/words.h"
#include "support/helper_main.h"
#include "support/payload.h"

namespace leat::test {
namespace {

// index, seed, most (events in a batch)
int run_batches(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const std::uint64_t index = arguments.number("index");
  Prng prng(arguments.number("seed") ^ index);
  auto producer = Producer::connect({.address = arguments.address()});
  if (!producer) {
    std::fprintf(stderr, "batches: %s\n", producer.error().message.c_str());
    return 1;
  }
  page[kReadyWord].fetch_add(1);
  const std::string key = "p" + std::to_string(index);
  const std::string payload(300, 'x');
  for (std::uint64_t batch = 0; page[kStopWord].load() == 0; ++batch) {
    const std::uint64_t size = 1 + prng.below(arguments.number("most", 20));
    std::vector<std::string> ids;
    for (std::uint64_t i = 0; i < size; ++i) {
      ids.push_back(std::to_string(batch) + "/" + std::to_string(i) + "/" + std::to_string(size));
    }
    std::vector<Event> events;
    for (const std::string& id : ids) {
      events.push_back({.topic = "batch",
                        .key = key,
                        .message_id = id,
                        .payload = std::string_view(payload).substr(0, prng.below(payload.size()))});
    }
    if (auto sent = producer->publish_batch(events); !sent) {
      std::fprintf(stderr, "batches: %s\n", sent.error().message.c_str());
      return 1;
    }
    page[kAcceptedWord + index].store(batch + 1);
  }
  return 0;
}
const HelperRegistration kBatches("batches", &run_batches);

}  // namespace
}  // namespace leat::test
