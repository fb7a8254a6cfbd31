#include "journal/format/damage.h"

namespace leat::internal {

std::string_view to_string(DamageKind kind) noexcept {
  switch (kind) {
    case DamageKind::identity: return "identity";
    case DamageKind::cursors: return "cursors";
    case DamageKind::name: return "name";
    case DamageKind::stray: return "stray";
    case DamageKind::size: return "size";
    case DamageKind::header: return "header";
    case DamageKind::index: return "index";
    case DamageKind::records: return "records";
    case DamageKind::missing_segment: return "missing_segment";
    case DamageKind::lost_end: return "lost_end";
    case DamageKind::contradiction: return "contradiction";
  }
  return "unknown";
}

}  // namespace leat::internal
