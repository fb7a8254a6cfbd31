// Whether the fields of an event may be published, the topic aside.
#pragma once

#include <cstddef>

#include <leat/event.h>
#include <leat/result.h>

namespace leat::client {

/// Of an event that is a tombstone or has headers: true if these may be published with so many bytes of payload.
[[nodiscard]] bool extras_are_valid(const Event& event, std::size_t payload_bytes) noexcept;

/// Names the field that may not be published. Error: invalid_argument.
Result<void> check_fields(const Event& event);

}  // namespace leat::client
