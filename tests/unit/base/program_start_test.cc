// What a program of ours sets right before anything else: in a child, which begins as a careless parent leaves it.
#include "base/program_start.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

// The child's exit status; -1 if a signal ended it.
template <typename Child>
int status_of(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProgramStart, TakesTheStandardDescriptorsThatAreClosedSoThatUsingThemStillFails) {
  for (int closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(status_of([&] {
                const auto is_closed = [&](int fd) { return (closed >> fd & 1) != 0; };
                for (int fd = 0; fd <= 2; ++fd) {
                  if (is_closed(fd)) ::close(fd);
                }
                prepare_program();
                const int next = ::open("/dev/null", O_RDWR | O_CLOEXEC);
                if (next <= 2) return 10 + next;
                char byte = 0;
                if (is_closed(0) && ::read(0, &byte, 1) >= 0) return 20;
                for (int fd = 1; fd <= 2; ++fd) {
                  if (is_closed(fd) && ::write(fd, &byte, 1) >= 0) return 20 + fd;
                }
                return 0;
              }),
              0)
        << closed;
  }
}

TEST(ProgramStart, MakesErrorsOfSignalsThatComeOfAWrite) {
  for (const int signal : {SIGPIPE, SIGXFSZ}) {
    EXPECT_EQ(status_of([&] {
                ::signal(signal, SIG_DFL);
                prepare_program();
                ::raise(signal);
                return 7;
              }),
              7)
        << signal;
  }
}

}  // namespace
}  // namespace leat::internal
