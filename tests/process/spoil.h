// Makes the broker refuse what it was said to have accepted.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "support/broker_process.h"

namespace leat::test {

/// Puts a blank at the end of the topic, in its arena, of a keyless event with this payload. The broker must not have
/// taken it yet. Throws std::runtime_error.
inline void spoil_accepted(const BrokerProcess& broker, const std::string& arena, std::string_view payload) {
  const internal::Mapping mapping = broker.map(arena, internal::Access::read_write);
  const std::string_view bytes(reinterpret_cast<const char*>(mapping.data()), mapping.bytes());
  const std::size_t at = bytes.find(payload);
  if (at == bytes.npos) throw std::runtime_error("no such payload in " + arena);
  mapping.data()[at - 1] = std::byte{' '};
}

}  // namespace leat::test
