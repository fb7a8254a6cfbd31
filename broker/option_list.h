// leatd's options as they are declared to the parser: for parse_options(), and for the test that walks all of them.
#pragma once

#include "broker/options.h"
#include "cmdline/number_option.h"

namespace leat::broker {

/// `options` must live as long as `app` parses.
void declare_options(CLI::App& app, Options& options);

}  // namespace leat::broker
