// What leat says about itself: the overview, and the help of its commands.
#pragma once

#include <string>

#include "cmdline/help_format.h"
#include "tools/leat/commands.h"

namespace leat::tool {

using cmdline::help_width;
using cmdline::wrapped;

/// What leat alone prints: what it is, and how one begins.
std::string overview(const Commands& commands);

}  // namespace leat::tool
