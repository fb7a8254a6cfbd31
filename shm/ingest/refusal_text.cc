#include "shm/ingest/refusal_text.h"

namespace leat::internal {

std::string_view refusal_text(Refusal reason) noexcept {
  switch (reason) {
    case Refusal::none: return "no reason";
    case Refusal::bad_entry: return "its entry header is out of bounds";
    case Refusal::bad_record: return "a record's fields contradict each other";
    case Refusal::bad_topic: return "bad topic";
    case Refusal::too_large: return "it is too large";
    case Refusal::bad_sequence: return "its producer sequence does not follow on";
    case Refusal::bad_headers: return "bad headers";
  }
  return "unknown reason";
}

}  // namespace leat::internal
