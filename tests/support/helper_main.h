// Modes of the test program itself: what its children do.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <leat/feed_address.h>

#include "support/shared_page.h"

namespace leat::test {

/// "name=value" arguments of a helper.
class HelperArguments {
 public:
  HelperArguments(int argc, char** argv);
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const;
  [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise = 0) const;
  [[nodiscard]] FeedAddress address() const;
  [[nodiscard]] std::string page() const { return text("page"); }

 private:
  std::map<std::string, std::string> values_;
};

using Helper = int (*)(const HelperArguments& arguments);

/// At namespace scope: `const HelperRegistration kProducer("producer", &run_producer);`
struct HelperRegistration {
  HelperRegistration(const char* name, Helper helper);
};

/// If argv says "--helper NAME ...", runs it and returns its status through `status`.
bool run_helper(int argc, char** argv, int& status);

}  // namespace leat::test
