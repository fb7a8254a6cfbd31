// The newest and oldest of what is stored, for a reader without a broker.
#pragma once

#include <cstdint>
#include <optional>

#include "client-lib/read/event_reader.h"
#include "client-lib/read/window.h"

namespace leat::client {

/// Looks apart from the reader's stream, whose place stays. What was seen is good for 100 ms. One thread.
class StoredBounds {
 public:
  /// `reader`: outlives this object.
  explicit StoredBounds(EventReader& reader) noexcept : reader_(reader) {}

  /// Sequences only. Of a journal that cannot be read: as if it ended where the reader stands.
  [[nodiscard]] Window look();

 private:
  EventReader& reader_;
  std::int64_t seen_ns_ = 0;
  std::optional<Window> seen_;
};

}  // namespace leat::client
