// leat-bench's options.
#pragma once

#include <cstdint>
#include <string>

#include "cmdline/number_option.h"

namespace leat::bench {

struct Options {
  bool quick = false;
  std::string directory = "/var/tmp";
  std::string commit = "unknown";
  std::string instructions;
  std::string json_path;
  std::string html_path;
  std::string template_path;
  std::string show;
  std::string only;
  unsigned rounds = 0;              ///< 0: the usual number
  std::uint64_t journal_bytes = 0;  ///< 0: the usual size
};

/// `options` must live as long as `app` parses.
void declare_options(cmdline::Command& app, Options& options);

}  // namespace leat::bench
