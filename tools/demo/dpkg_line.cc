#include "tools/demo/dpkg_line.h"

#include <algorithm>
#include <cstddef>

namespace leat::demo {
namespace {

constexpr std::size_t kMaxTokenBytes = 64;  // far below the 255 of a topic
constexpr std::size_t kMaxKeyBytes = 255;

// Takes the first word off `rest`. Empty when there is none.
std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

// A word as one token of a topic: printable ASCII without dot and wildcards.
std::string token(std::string_view word) {
  std::string result(word.substr(0, kMaxTokenBytes));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c <= ' ' || c > '~' || c == '.' || c == '*' || c == '>'; },
      '_');
  return result;
}

}  // namespace

DpkgEvent parse_dpkg_line(std::string_view line) {
  std::string_view rest = line;
  (void)take_word(rest);  // date
  (void)take_word(rest);  // time
  const std::string_view action = take_word(rest);
  if (action.empty()) return {"dpkg.other", {}};
  DpkgEvent event{"dpkg.", {}};
  event.topic += token(action);
  if (action == "startup") return event;  // "startup archives unpack": about the run, not about a package
  if (action == "status") {
    const std::string_view state = take_word(rest);
    if (state.empty()) return event;
    event.topic += '.';
    event.topic += token(state);
  }
  event.key = take_word(rest).substr(0, kMaxKeyBytes);
  return event;
}

}  // namespace leat::demo
