#include "record/own_record.h"

namespace leat::internal {

std::string make_own_record(const OwnRecord& record, std::uint64_t feed_seed, std::uint64_t position) {
  std::string bytes(padded_record_bytes(record.length), '\0');
  build_own_record(reinterpret_cast<std::byte*>(bytes.data()), record, feed_seed, position);
  return bytes;
}

}  // namespace leat::internal
