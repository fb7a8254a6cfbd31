// Several histories, each in the order of time, as one.
#pragma once

#include <deque>
#include <vector>

#include "history/source.h"

namespace leat::history {

/// Hands out the facts of all its sources in the order of their times. At equal times a fact that must come before
/// (something begun) goes before one that must come after (something received).
class Merge {
 public:
  /// Add a followed source before its process starts: facts that come before those handed out are an error.
  Source& add(Source source);

  /// As Source::next. Nothing, as long as a followed source has nothing: its next fact may be the earliest of all.
  Source::Read next(Fact& fact);
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  struct Input {
    Source source;
    Fact fact;
  };
  static bool comes_later(const Input* a, const Input* b);
  bool advance(Input& input);

  std::deque<Input> inputs_;     // references to sources stay good
  std::vector<Input*> ready_;    // a heap: the earliest fact first
  std::vector<Input*> waiting_;  // whose next fact is not known
  Error error_;
};

}  // namespace leat::history
