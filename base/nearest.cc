#include "base/nearest.h"

#include <algorithm>

namespace leat::internal {
namespace {

/// Longer words are nobody's slip of the fingers.
constexpr std::size_t kMaxLetters = 64;
/// One letter wrong in each so many.
constexpr std::size_t kLettersPerSlip = 3;
constexpr std::size_t kShortestStem = 3;

std::string_view without_dashes(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  return word;
}

/// "publish" for "pub", "time" for "timeout".
bool one_begins_the_other(std::string_view a, std::string_view b) {
  if (std::min(a.size(), b.size()) < kShortestStem) return false;
  return a.starts_with(b) || b.starts_with(a);
}

}  // namespace

std::size_t letters_apart(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view typed, const std::vector<std::string>& known) {
  const std::string_view word = without_dashes(typed);
  if (word.empty() || word.size() > kMaxLetters) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / kLettersPerSlip) + 1;
  for (const std::string& candidate : known) {
    const std::string_view name = without_dashes(candidate);
    const std::size_t distance = one_begins_the_other(word, name) ? 1 : letters_apart(word, name);
    if (name.size() > 1 && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace leat::internal
