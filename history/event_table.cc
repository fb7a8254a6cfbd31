#include "history/event_table.h"

namespace leat::history {

EventTable::Page* EventTable::page_of(std::uint64_t sequence) {
  const std::uint64_t index = sequence / kPageSlots;
  if (last_page_ != nullptr && index == last_index_) return last_page_;
  const auto found = pages_.find(index);
  if (found == pages_.end()) return nullptr;
  last_index_ = index;
  return last_page_ = found->second.get();
}

Slot* EventTable::find(std::uint64_t sequence) {
  Page* const page = page_of(sequence);
  if (page == nullptr) return nullptr;
  Slot& slot = page->slots[sequence % kPageSlots];
  return slot.used ? &slot : nullptr;
}

Slot& EventTable::use(std::uint64_t sequence) {
  Page* page = page_of(sequence);
  if (page == nullptr) {
    page = pages_.emplace(sequence / kPageSlots, std::make_unique<Page>()).first->second.get();
  }
  Slot& slot = page->slots[sequence % kPageSlots];
  slot.used = true;
  ++page->used;
  ++used_;
  return slot;
}

void EventTable::forget(std::uint64_t sequence) {
  Page* const page = page_of(sequence);
  if (page == nullptr || !page->slots[sequence % kPageSlots].used) return;
  page->slots[sequence % kPageSlots] = Slot{};
  --page->used;
  --used_;
}

void EventTable::drop_lowest_page() {
  if (pages_.empty()) return;
  floor_ = (pages_.begin()->first + 1) * kPageSlots;
  pages_.erase(pages_.begin());
  last_page_ = nullptr;
}

}  // namespace leat::history
