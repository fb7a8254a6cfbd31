// leat_fuzz: libFuzzer's end. One program for all targets, so that there is one thing to link: LEAT_FUZZ_TARGET names
// the one that is run.
#include <cstdlib>

#include "tests/fuzz/fuzz_target.h"

namespace {
leat::fuzz::Target g_target = nullptr;
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("LEAT_FUZZ_TARGET");
  const auto& all = leat::fuzz::targets();
  const auto found = all.find(name == nullptr ? "" : name);
  if (found == all.end()) {
    std::fprintf(stderr, "LEAT_FUZZ_TARGET names no target; there are:\n");
    for (const auto& [known, target] : all) std::fprintf(stderr, "  %s\n", known.c_str());
    std::exit(2);
  }
  g_target = found->second;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  g_target({data, size});
  return 0;
}
