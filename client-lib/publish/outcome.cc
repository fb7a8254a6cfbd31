#include "client-lib/publish/outcome.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace leat {

namespace {

struct Words {
  std::string_view sentence;
  ErrorCode code;
  std::string_view advice = {};  // the end of the sentence
};

constexpr Words words_of(Publish outcome) noexcept {
  switch (outcome) {
    case Publish::ok: return {"published", ErrorCode::ok};
    case Publish::would_block:
      return {"would block: arena or inbound ring full; try again, or wait with publish()", ErrorCode::would_block,
              "try again, or wait with publish()"};
    case Publish::too_large:
      return {"too large: over max_event_bytes(), or a batch over a quarter of the ring, a segment, or half the arena",
              ErrorCode::too_large};
    case Publish::bad_topic:
      return {"bad topic: 1 to 255 printable bytes in non-empty tokens separated by dots", ErrorCode::bad_topic};
    case Publish::bad_field:
      return {
          "bad field: key or message id over 255 bytes, bad headers, a tombstone without key or with a payload, a bad "
          "batch size, or an open claim",
          ErrorCode::invalid_argument};
    case Publish::ephemeral: return {"ephemeral: durable=false events never enter a feed", ErrorCode::ephemeral};
    case Publish::feed_failed:
      return {"the feed has failed and takes nothing any more; see the broker's log", ErrorCode::feed_failed,
              "see the broker's log"};
    case Publish::revoked:
      return {"the broker has revoked this producer; see the broker's log", ErrorCode::revoked, "see the broker's log"};
    case Publish::used_after_fork:
      return {"used after fork: this producer belongs to the parent process; connect anew here",
              ErrorCode::used_after_fork, "connect anew here"};
    case Publish::earlier_lost:
      return {"earlier events are lost with their ring: publish them again, then this one", ErrorCode::closed,
              "publish them again, then this one"};
  }
  return {"unknown outcome", ErrorCode::invalid_argument};
}

constexpr std::size_t kJoinBytes = 2;  // "; " or ": "

constexpr std::string_view what_of(const Words& words) noexcept {
  return words.sentence.substr(0, words.sentence.size() - words.advice.size() - kJoinBytes);
}

constexpr bool all_end_in_their_advice() noexcept {
  for (int i = 0; i <= static_cast<int>(Publish::earlier_lost); ++i) {
    const Words words = words_of(static_cast<Publish>(i));
    if (words.advice.empty()) continue;
    if (words.sentence.size() <= words.advice.size() + kJoinBytes || !words.sentence.ends_with(words.advice)) {
      return false;
    }
    const std::string_view from_join = words.sentence.substr(what_of(words).size());
    if (!from_join.starts_with("; ") && !from_join.starts_with(": ")) return false;
  }
  return true;
}
static_assert(all_end_in_their_advice());

}  // namespace

std::string_view to_string(Publish outcome) noexcept { return words_of(outcome).sentence; }

Error client::error_of(Publish outcome) {
  const Words words = words_of(outcome);
  if (words.advice.empty()) return {words.code, std::string(words.sentence)};
  const std::string_view what = what_of(words);
  return {words.code, std::string(what), words.advice, static_cast<Error::Join>(words.sentence[what.size()])};
}

}  // namespace leat
