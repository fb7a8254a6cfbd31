// What the sequencer takes when all else is for free: stepped in this process, its entries in the caches, nobody else
// there.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/micro/pipeline.h"
#include "clock.h"
#include "specials.h"

namespace leat::bench {

double sequencer_alone_ns(std::uint32_t batch) {
  constexpr std::uint32_t kRoundEvents = 256;
  constexpr int kRounds = 4000;
  Pipeline pipeline(8 << 20);
  const std::string payload(64, 'x');
  const Event event{.topic = "bench.event", .payload = payload};
  std::vector<double> costs;
  for (int round = 0; round < kRounds; ++round) {
    pipeline.segments();
    for (std::uint32_t i = 0; i < kRoundEvents; i += batch) {
      if (!pipeline.publish_batch(event, batch)) throw std::runtime_error("the pipeline is full");
    }
    const std::int64_t begin = now_ns();
    while (pipeline.step()) {
    }
    costs.push_back(static_cast<double>(now_ns() - begin) / kRoundEvents);
  }
  std::ranges::nth_element(costs, costs.begin() + kRounds / 2);
  return costs[kRounds / 2];
}

}  // namespace leat::bench
