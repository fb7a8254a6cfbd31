#include "broker/options.h"

#include <algorithm>
#include <bit>

#include "shm/broadcast/broadcast_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "journal/format/segment_layout.h"

namespace leat::broker {
namespace {

constexpr bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

Error at_odds(const std::string& what, std::string_view advice) { return {ErrorCode::invalid_argument, what, advice}; }

/// The least arena that carries an event of this size.
std::uint64_t arena_bytes_for(std::uint64_t event_bytes) {
  std::uint64_t arena = internal::kMinArenaBytes;
  while (internal::max_entry_record_bytes(arena) < internal::align_up(event_bytes, internal::kRecordAlignment))
    arena *= 2;
  return arena;
}

/// An event must fit the ring, a segment, and the arena of some producer. Names the one that it does not fit.
Result<void> check_event_bound(const Options& o) {
  const std::uint64_t wanted = internal::align_up(o.max_event_bytes, internal::kRecordAlignment);
  const std::string head = "--max-event-bytes " + std::to_string(o.max_event_bytes) + " does not fit: ";
  const auto carries = [](std::uint64_t bytes) {
    return " carries events of up to " + std::to_string(bytes) + " bytes";
  };
  if (wanted > o.ring_bytes / 4) {
    return at_odds(head + "--ring-bytes " + std::to_string(o.ring_bytes) + carries(o.ring_bytes / 4),
                   "raise it to " + std::to_string(std::bit_ceil(4 * wanted)) + ", or lower --max-event-bytes");
  }
  if (const std::uint64_t bound = internal::max_segment_batch_bytes(o.segment_bytes); wanted > bound) {
    return at_odds(head + "--segment-bytes " + std::to_string(o.segment_bytes) + carries(bound),
                   "raise it, or lower --max-event-bytes");
  }
  if (const std::uint64_t bound = internal::max_entry_record_bytes(o.max_arena_bytes); wanted > bound) {
    return at_odds(head + "the largest arena, --max-arena-bytes " + std::to_string(o.max_arena_bytes) + "," +
                       carries(bound),
                   "raise it to " + std::to_string(arena_bytes_for(o.max_event_bytes)) +
                       ", or lower --max-event-bytes");
  }
  return {};
}

}  // namespace

std::uint64_t max_record_bytes(const Options& o) {
  return std::min({internal::align_up(o.max_event_bytes, internal::kRecordAlignment), o.ring_bytes / 4,
                   internal::max_segment_batch_bytes(o.segment_bytes)});
}

std::uint64_t max_batch_bytes(const Options& o) noexcept {
  return std::min(o.ring_bytes / 4, internal::max_segment_batch_bytes(o.segment_bytes));
}

void make_room_for_entry(Options& o, std::uint64_t record_bytes) {
  if (record_bytes > o.ring_bytes / 4)
    o.ring_bytes = std::min(std::bit_ceil(4 * record_bytes), internal::kMaxRingBytes);
  if (record_bytes > internal::max_segment_batch_bytes(o.segment_bytes)) {
    const std::uint64_t own_records = 2 * internal::kMarkRecordBytes + internal::kSegmentReserveBytes;
    o.segment_bytes = internal::segment_size_for(record_bytes + own_records);
  }
}

Result<void> check_options(const Options& o) {
  const std::pair<const char*, std::uint64_t> powers[] = {{"--ring-bytes", o.ring_bytes},
                                                          {"--inbound-slots", o.inbound_slots},
                                                          {"--arena-bytes", o.arena_bytes},
                                                          {"--max-arena-bytes", o.max_arena_bytes}};
  for (const auto& [name, value] : powers) {
    if (!is_power_of_two(value)) {
      return at_odds(std::string(name) + " is " + std::to_string(value) + ", which is not a power of two",
                     "give " + std::to_string(std::bit_floor(value)) + " or " +
                         std::to_string(2 * std::bit_floor(value)));
    }
  }
  if (!internal::is_segment_size(o.segment_bytes)) {
    return at_odds("--segment-bytes is " + std::to_string(o.segment_bytes) + ", which is not a multiple of 4096",
                   "give " + std::to_string(internal::align_up(o.segment_bytes, 4096)));
  }
  if (o.arena_bytes > o.max_arena_bytes) {
    return at_odds("--arena-bytes " + std::to_string(o.arena_bytes) + " is larger than --max-arena-bytes " +
                       std::to_string(o.max_arena_bytes),
                   "lower the first or raise the second");
  }
  if (o.inbound_slots < 2ULL * o.max_producers) {
    return at_odds("--inbound-slots " + std::to_string(o.inbound_slots) + " is less than twice --max-producers " +
                       std::to_string(o.max_producers),
                   "raise the first to " + std::to_string(std::bit_ceil(2ULL * o.max_producers)) +
                       ", or lower the second");
  }
  return check_event_bound(o);
}

std::vector<std::string> remarks(const Options& o) {
  const std::uint64_t carried = internal::max_entry_record_bytes(o.arena_bytes);
  if (internal::align_up(o.max_event_bytes, internal::kRecordAlignment) <= carried) return {};
  return {"--max-event-bytes " + std::to_string(o.max_event_bytes) + " is more than an arena of --arena-bytes " +
          std::to_string(o.arena_bytes) + " carries: producers that ask for no other size can publish up to " +
          std::to_string(carried) + " bytes (leat pub is one of them); for larger events raise --arena-bytes to " +
          std::to_string(arena_bytes_for(o.max_event_bytes))};
}

}  // namespace leat::broker
