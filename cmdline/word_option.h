// Options that take one of a few words. CLI11's transformer would take the numbers behind the words too.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "cmdline/command.h"

namespace leat::cmdline {

/// The help names the words and the default, which `value` must hold.
template <typename Value>
Option* add_word(Command& app, const std::string& name, Value& value,
                 const std::vector<std::pair<std::string, Value>>& words, const std::string& description) {
  std::string list;
  std::string otherwise;
  for (const auto& [word, meaning] : words) {
    list += (list.empty() ? "" : "|") + word;
    if (meaning == value) otherwise = word;
  }
  const auto take = [&value, words, list, name](const std::string& text) {
    for (const auto& [word, meaning] : words) {
      if (word != text) continue;
      value = meaning;
      return;
    }
    throw BadValue(name + ": " + internal::quoted_text(text) + " is none of " + list);
  };
  Option* const option = app.add_taker(name, take, description + " (" + list + "; default: " + otherwise + ")");
  option->type_name("WORD");
  return option;
}

}  // namespace leat::cmdline
