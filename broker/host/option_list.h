// leatd's options as they are declared to the parser: for parse_options(), and for the test that walks all of them.
#pragma once

#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/options.h"
#include "cmdline/number_option.h"

namespace leat::broker {

/// What is parsed: the options, and the file that may hold more of them.
struct OptionList {
  Options options;
  std::string config;
};

/// `list` must live as long as `app` parses.
void declare_options(cmdline::Command& app, OptionList& list);

/// The words behind the program's name, with those in front that the file of --config adds: the command line wins. Each
/// value of the file is checked. Error: invalid_argument, naming file, line, column and key. Throws cmdline::ParseError
/// if `words` are no good.
Result<std::vector<std::string>> with_config(std::vector<std::string> words);

}  // namespace leat::broker
