#include "broker/ingest/arena_reader.h"

#include <climits>

#include "shm/base/futex.h"

namespace leat::broker {

void ArenaReader::wake(std::uint32_t reasons) noexcept {
  // SYNC POINT: the producer sets `waiting`, fences, looks at its completion (Producer::wait); we have stored the
  // completion, fenced, and now look at `waiting`.
  if ((header_->waiting.load(std::memory_order_relaxed) & reasons) == 0) return;
  header_->waiting.fetch_and(~reasons, std::memory_order_relaxed);
  header_->receipt_word.fetch_add(1, std::memory_order_seq_cst);
  shm::futex_wake(&header_->receipt_word, INT_MAX);
}

}  // namespace leat::broker
