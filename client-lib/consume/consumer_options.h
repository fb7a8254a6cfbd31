// What no broker need be asked about.
#pragma once

#include <leat/consumer.h>

namespace leat::client {

/// Error: invalid_argument.
Result<void> check_options(const ConsumerOptions& options);

}  // namespace leat::client
