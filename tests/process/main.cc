// leat_process_tests: GoogleTest, or one of its helpers.
#include <gtest/gtest.h>

#include <csignal>
#include <string_view>

#include "support/confined.h"
#include "support/helper_main.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc > 1 && std::string_view(argv[1]) == "--confined") return leat::test::run_confined(argc, argv);
  int status = 0;
  if (leat::test::run_helper(argc, argv, status)) return status;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
