#include "history/merge.h"

#include <algorithm>

namespace leat::history {

Source& Merge::add(Source source) {
  Input& input = inputs_.emplace_back(Input{std::move(source), {}});
  waiting_.push_back(&input);
  return input.source;
}

bool Merge::comes_later(const Input* a, const Input* b) {
  if (a->fact.at_ns != b->fact.at_ns) return a->fact.at_ns > b->fact.at_ns;
  return a->fact.kind > b->fact.kind;  // the kinds are declared in this order
}

// False if this source has nothing yet (it keeps waiting) or an error.
bool Merge::advance(Input& input) {
  switch (input.source.next(input.fact)) {
    case Source::Read::fact:
      ready_.push_back(&input);
      std::ranges::push_heap(ready_, &comes_later);
      return true;
    case Source::Read::end: return true;
    case Source::Read::error: error_ = input.source.error(); return false;
    case Source::Read::nothing: return false;
  }
  return false;
}

Source::Read Merge::next(Fact& fact) {
  std::erase_if(waiting_, [this](Input* input) { return advance(*input); });
  if (error_.code != ErrorCode::ok) return Source::Read::error;
  if (!waiting_.empty()) return Source::Read::nothing;
  if (ready_.empty()) return Source::Read::end;
  std::ranges::pop_heap(ready_, &comes_later);
  Input* const first = ready_.back();
  ready_.pop_back();
  waiting_.push_back(first);  // advanced at the next call: until then its fact is the caller's
  fact = first->fact;
  return Source::Read::fact;
}

}  // namespace leat::history
