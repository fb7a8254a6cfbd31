#include "tests/fuzz/fuzz_target.h"

namespace leat::fuzz {

std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}

}  // namespace leat::fuzz
