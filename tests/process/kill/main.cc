// leat-kill-steps: producers, consumers and leatd are cut short after any of their instructions.
#include <sys/personality.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "process/kill/scenarios.h"
#include "support/environment.h"
#include "support/number.h"
#include "support/tracer.h"

namespace {

constexpr int kSkipped = 77;
constexpr int kUsage = 2;
constexpr unsigned kShortLimitSeconds = 240;  // what hangs is ended by SIGALRM; leatd and victims end with us

bool parse(int argc, char** argv, leat::test::CampaignOptions& options) {
  if (argc < 2) return false;
  const std::string size = argv[1];
  options.every_instruction = size == "long";
  if (size != "long" && size != "short") return false;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--only") {
      options.only = argv[i + 1];
    } else if (name == "--instruction") {
      options.instruction = leat::test::number_or_exit("--instruction", argv[i + 1]);
    } else {
      return false;
    }
  }
  return argc % 2 == 0;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace leat::test;
  CampaignOptions options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr, "Usage: leat-kill-steps short|long [--only SCENARIO] [--instruction N]\n");
    return kUsage;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string why;
  if (sanitized()) why = "a sanitizer's run time is in every step: stepping it says nothing about what users run";
  if (!why.empty() || !tracing_is_allowed(why)) {
    std::printf("skipped: %s\n", why.c_str());
    return kSkipped;
  }
  options.seed = test_seed();
  // Each leatd at the same addresses: the way of one tells of the next.
  (void)::personality(ADDR_NO_RANDOMIZE);
  if (!options.every_instruction) ::alarm(kShortLimitSeconds);
  bool held = true;
  try {
    held = attack_producers(options) && attack_consumers(options) && attack_skips(options) && attack_broker(options);
  } catch (const Broken& broken) {
    std::printf("BROKEN  %s\n  again: LEAT_TEST_SEED=%llu leat-kill-steps %s\n", broken.what(),
                static_cast<unsigned long long>(options.seed), argv[1]);
    held = false;
  }
  std::printf("%llu attacks in all\n", static_cast<unsigned long long>(attacks_made()));
  return held ? 0 : 1;
}
