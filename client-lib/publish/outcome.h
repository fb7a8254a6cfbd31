// What the outcomes of publishing say, to programs and to people.
#pragma once

#include <leat/error.h>
#include <leat/producer.h>

namespace leat::client {

/// The outcome as an error: its message is to_string(outcome), its advice the end of that. For what the outcome alone
/// says.
Error error_of(Publish outcome);

}  // namespace leat::client
