// What leat says about itself: the overview, and the help of its commands.
#pragma once

#include <memory>
#include <string>

#include "cmdline/help_format.h"
#include "tools/leat/commands.h"

namespace leat::tool {

using cmdline::help_width;
using cmdline::wrapped;

/// What leat alone prints: what it is, and how one begins.
std::string overview(const Commands& commands);

/// With the examples of `commands`, which must live as long.
std::shared_ptr<cmdline::HelpFormatter> help_formatter(const Commands& commands);

}  // namespace leat::tool
