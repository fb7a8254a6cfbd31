// leat_campaigns: GoogleTest, or one of its helpers.
#include <gtest/gtest.h>

#include <csignal>

#include "support/helper_main.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  int status = 0;
  if (leat::test::run_helper(argc, argv, status)) return status;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
