// The broker's log: spdlog, one logger for the process.
#pragma once

#include <spdlog/spdlog.h>

#include <leat/result.h>

#include "broker/options.h"

namespace leat::broker {

/// Sets up the default logger: standard error (coloured on a terminal) or a file. Error: io_error.
Result<void> set_up_log(const Options& options);

}  // namespace leat::broker
