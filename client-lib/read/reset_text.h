// What a Reset, and the end of a loop, say in words.
#pragma once

#include <string>

#include <leat/consumer.h>

namespace leat::client {

/// The two halves of Reset::to_string(): what happened, and what to do about that.
std::string what_of(const Reset& reset);
std::string advice_of(const Reset& reset);

}  // namespace leat::client
