#include "support/helper_main.h"

#include <cstdio>
#include <cstring>

#include "support/number.h"

namespace leat::test {
namespace {

std::map<std::string, Helper>& helpers() {
  static std::map<std::string, Helper> all;
  return all;
}

}  // namespace

HelperArguments::HelperArguments(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    const char* equals = std::strchr(argv[i], '=');
    if (equals != nullptr) values_[std::string(argv[i], static_cast<std::size_t>(equals - argv[i]))] = equals + 1;
  }
}

std::string HelperArguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::uint64_t HelperArguments::number(const std::string& name, std::uint64_t otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : number_or_exit(name, found->second);
}

FeedAddress HelperArguments::address() const {
  return {.feed = text("feed"), .runtime_dir = text("runtime"), .data_dir = text("data")};
}

HelperRegistration::HelperRegistration(const char* name, Helper helper) { helpers()[name] = helper; }

bool run_helper(int argc, char** argv, int& status) {
  if (argc < 3 || std::strcmp(argv[1], "--helper") != 0) return false;
  const auto found = helpers().find(argv[2]);
  if (found == helpers().end()) {
    std::fprintf(stderr, "no helper '%s'\n", argv[2]);
    status = 2;
  } else {
    status = found->second(HelperArguments(argc - 3, argv + 3));
  }
  return true;
}

}  // namespace leat::test
