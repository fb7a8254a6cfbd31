// Which topics a consumer wants.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <leat/result.h>

namespace leat {

/// A dot-separated pattern: `*` matches exactly one token, a final `>` one or more tokens, all else itself.
/// Example: `session.*.done` matches `session.42.done`; `session.>` matches `session.a` and `session.a.b`, not
/// `session`. Immutable after parse(), so safe to share between threads.
class TopicFilter {
 public:
  /// Matches everything.
  TopicFilter() = default;
  static Result<TopicFilter> parse(std::string_view pattern);

  [[nodiscard]] bool matches(std::string_view topic) const noexcept;
  [[nodiscard]] bool matches_all() const noexcept { return tokens_.empty(); }

 private:
  std::vector<std::string> tokens_;
  bool open_end_ = false;
};

/// Checks the rules of a topic: 1..255 bytes of printable ASCII without space, `*` or `>`; no empty token.
Result<void> check_topic(std::string_view topic);

}  // namespace leat
