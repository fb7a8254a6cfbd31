// leat_fuzz_replay: the corpus as a regression test, under any compiler.
//
// Usage: leat_fuzz_replay list | TARGET FILE_OR_DIRECTORY...
// Each input is run as it is, then LEAT_FUZZ_MUTATIONS (default 4) times with some of its bytes changed. The seed is
// printed; LEAT_TEST_SEED gives it again.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tests/support/number.h"

namespace {

using Input = std::vector<std::uint8_t>;

std::vector<std::filesystem::path> files_in(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

Input read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Input mutated(Input input, std::mt19937_64& random) {
  for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
    const std::size_t at = input.empty() ? 0 : random() % input.size();
    switch (random() % 4) {
      case 0: input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random())); break;
      case 1:
        if (!input.empty()) input.erase(input.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      default:
        if (!input.empty()) input[at] = static_cast<std::uint8_t>(random());
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  const auto& all = leat::fuzz::targets();
  if (argc == 2 && std::string(argv[1]) == "list") {
    for (const auto& [name, target] : all) std::printf("%s\n", name.c_str());
    return 0;
  }
  const auto found = argc >= 3 ? all.find(argv[1]) : all.end();
  if (found == all.end()) {
    std::fprintf(stderr, "usage: leat_fuzz_replay list | TARGET FILE_OR_DIRECTORY...\n");
    return 2;
  }
  const std::uint64_t seed = leat::test::number_from_environment("LEAT_TEST_SEED", std::random_device{}());
  const std::uint64_t mutations = leat::test::number_from_environment("LEAT_FUZZ_MUTATIONS", 4, 0, 1'000'000);
  std::printf("%s: seed %llu (repeat with LEAT_TEST_SEED=%llu)\n", argv[1], static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::mt19937_64 random(seed);
  std::uint64_t inputs = 0;
  for (int i = 2; i < argc; ++i) {
    for (const auto& path : files_in(argv[i])) {
      const Input input = read(path);
      found->second(input);
      for (std::uint64_t n = 0; n < mutations; ++n) found->second(mutated(input, random));
      ++inputs;
    }
  }
  std::printf("%s: %llu inputs, %llu mutations of each\n", argv[1], static_cast<unsigned long long>(inputs),
              static_cast<unsigned long long>(mutations));
  return inputs > 0 ? 0 : 1;
}
