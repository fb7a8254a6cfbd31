// What leat-stress can be told.
#pragma once

#include <string>

#include "cmdline/number_option.h"
#include "process/stress/roles.h"

namespace leat::stress {

struct Command {
  Plan plan;
  std::string runtime_dir;
  std::string data_dir;
  bool external_broker = false;
  bool keep = false;
  std::string role;
  std::uint32_t index = 0;
};

/// `command` must live as long as `app` parses.
void declare_options(cmdline::Command& app, Command& command);

}  // namespace leat::stress
