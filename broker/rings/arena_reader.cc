#include "broker/rings/arena_reader.h"

#include <algorithm>
#include <climits>

#include "base/futex.h"

namespace leat::broker {

void ArenaReader::wake(std::uint32_t reasons) noexcept {
  // SYNC POINT: the producer sets `waiting`, fences, looks at its completion (Producer::wait); we have stored the
  // completion, fenced, and now look at `waiting`.
  if ((header_->waiting.load(std::memory_order_relaxed) & reasons) == 0) return;
  header_->waiting.fetch_and(~reasons, std::memory_order_relaxed);
  header_->receipt_word.fetch_add(1, std::memory_order_seq_cst);
  internal::futex_wake(&header_->receipt_word, INT_MAX);
}

// What is said already and lies within the new loss gives its place to it; when there are more losses than places, the
// newest is merged with the last one. So at any moment all that is lost is said to be.
void ArenaReader::lose(std::uint64_t below_position, std::uint64_t from_sequence) noexcept {
  std::size_t at = 0;
  std::uint64_t from = from_sequence;
  for (; at < internal::kMaxLostEntries; ++at) {
    const std::uint64_t said = header_->lost[at].from_sequence.load(std::memory_order_relaxed);
    if (said == 0 || said >= from_sequence) break;
    if (at + 1 == internal::kMaxLostEntries) from = said;
  }
  at = std::min(at, internal::kMaxLostEntries - 1);
  // SYNC POINT: pairs with ArenaWriter::lost. Each store makes the loss that is said larger.
  header_->lost[at].below_position.store(below_position, std::memory_order_release);
  header_->lost[at].from_sequence.store(from, std::memory_order_release);
  for (++at; at < internal::kMaxLostEntries; ++at) header_->lost[at].from_sequence.store(0, std::memory_order_release);
}

}  // namespace leat::broker
