// Programs under a seccomp filter that answers some system calls with an errno, as an old kernel or a container's
// profile does.
#pragma once

#include <string>
#include <vector>

namespace leat::test {

struct ForbiddenCall {
  long number = 0;
  int error = 0;
  int option = -1;  ///< of getsockopt: only this one
};

/// Words to put before a program's own: this test program makes the filter and becomes that program.
std::vector<std::string> confined(const std::vector<ForbiddenCall>& calls);

/// What main() does for those words. Returns only if that fails.
int run_confined(int argc, char** argv);

}  // namespace leat::test
