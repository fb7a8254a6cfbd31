// leat-demo's options.
#pragma once

#include <sys/types.h>

#include "cmdline/number_option.h"
#include "tools/demo/publish_lines.h"
#include "tools/demo/run_demo.h"

namespace leat::demo {

struct CommandLine {
  DemoOptions run{.address = {.feed = "demo"}, .input = "/var/log/dpkg.log"};
  Share share;
  int input_fd = -1;
  pid_t probe_pid = 0;
};

/// `line` must live as long as `app` parses.
void declare_options(cmdline::Command& app, CommandLine& line);

}  // namespace leat::demo
