#include "support/confined.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "support/environment.h"

namespace leat::test {

std::vector<std::string> confined(const std::vector<ForbiddenCall>& calls) {
  std::string list;
  for (const ForbiddenCall& call : calls) {
    list += std::to_string(call.number) + " " + std::to_string(call.error) + " " + std::to_string(call.option) + " ";
  }
  return {own_executable(), "--confined", list};
}

int run_confined(int argc, char** argv) {
  if (argc < 4) return 125;
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  std::istringstream list(argv[2]);
  ForbiddenCall call;
  while (list >> call.number >> call.error >> call.option) {
    const auto number = static_cast<std::uint32_t>(call.number);
    const std::uint32_t refuse = SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(call.error) & SECCOMP_RET_DATA);
    if (call.option < 0) {
      program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
      program.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
    } else {
      program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4));
      program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t)));
      program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.option), 0, 1));
      program.push_back(BPF_STMT(BPF_RET | BPF_K, refuse));
      program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    }
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::perror("seccomp");
    return 125;
  }
  ::execv(argv[3], argv + 3);
  std::perror(argv[3]);
  return 126;
}

}  // namespace leat::test
