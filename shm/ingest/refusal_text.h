// Why an entry was refused, for people: at the producer and in the broker's log alike.
#pragma once

#include <string_view>

#include "shm/ingest/arena_layout.h"

namespace leat::internal {

/// The end of a sentence: "...: bad topic". Never empty; `reason` may be any number.
std::string_view refusal_text(Refusal reason) noexcept;

}  // namespace leat::internal
