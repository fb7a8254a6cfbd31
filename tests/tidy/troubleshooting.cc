#include "tests/tidy/troubleshooting.h"

#include <algorithm>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

constexpr char kPlaceholder = '\1';

/// `<path>/control.sock` is one: the code joins paths elsewhere. `<a <b>>` is one too.
std::size_t end_of_placeholder(std::string_view rest) {
  std::size_t end = 0;
  std::size_t depth = 0;
  do {
    if (rest[end] == '<') ++depth;
    if (rest[end] == '>') --depth;
    ++end;
  } while (depth > 0 && end < rest.size());
  if (end < rest.size() && rest[end] == '/') {
    while (end < rest.size() && (is_word(rest[end]) || rest[end] == '/' || rest[end] == '.')) ++end;
  }
  return end;
}

/// Where a title was followed furthest, and the part that is not there.
struct Unsaid {
  std::string nearest, part;
};

/// How many of the parts, from the first on, the text has in their order.
std::size_t parts_found(const std::vector<std::string>& parts, std::string_view text) {
  std::size_t at = 0;
  std::size_t found = 0;
  for (const std::string& part : parts) {
    at = text.find(part, at);
    if (at == text.npos) break;
    at += part.size();
    ++found;
  }
  return found;
}

/// Quotes, colons and blanks at either end are often put there by another function.
std::string_view without_joints(std::string_view part) {
  constexpr std::string_view kJoints = " ':;,()[]";
  const std::size_t first = part.find_first_not_of(kJoints);
  if (first == part.npos) return {};
  return part.substr(first, part.find_last_not_of(kJoints) - first + 1);
}

/// `{}` and `{:x}` of a format.
void replace_fields(std::string& text) {
  for (std::size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    if (open + 1 >= text.size() || (text[open + 1] != '}' && text[open + 1] != ':')) continue;
    const std::size_t close = text.find('}', open);
    if (close == text.npos) break;
    text.replace(open, close - open + 1, 1, kPlaceholder);
  }
}

/// In one file, all of them in order; `nearest` and `missing` say where it failed.
bool is_said(const std::vector<std::string>& parts, const std::vector<Messages>& said, Unsaid& unsaid) {
  std::size_t most = 0;
  unsaid = {"none", parts.empty() ? "" : parts[0]};
  for (const Messages& one : said) {
    const std::size_t count = parts_found(parts, one.text);
    if (count == parts.size()) return true;
    if (count <= most) continue;
    most = count;
    unsaid = {one.path, parts[count]};
  }
  return false;
}

/// The clauses of `what (detail): why; what to do`, which the code may put together from several files. Options and
/// short words in quotes, which may come from a constant, end a part here.
std::vector<std::vector<std::string>> clauses_of(std::string_view title) {
  std::string text(title);
  for (std::size_t i = 0, inside = 0; i < text.size(); ++i) {
    if (text[i] == '<') ++inside;
    if (text[i] == '>' && inside > 0) --inside;
    const std::string_view rest = std::string_view(text).substr(i);
    if (inside > 0) continue;
    for (const std::string_view joint : {": ", "; ", " (", ", "}) {
      if (rest.starts_with(joint)) text[i] = '\n';
    }
    const std::size_t name = rest.starts_with("--") ? rest.find_first_not_of("-abcdefghijklmnopqrstuvwxyz") : 0;
    const std::size_t quoted = rest.front() == '\'' ? rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1) : 0;
    if (name != 0) {
      text.replace(i, std::min(name, rest.size()), "<>");
    } else if (quoted != 0 && quoted != rest.npos && rest[quoted] == '\'') {
      text.replace(i, quoted + 1, "<>");
    }
  }
  std::vector<std::vector<std::string>> clauses;
  for (const Line& clause : lines_of(text)) clauses.push_back(literal_parts(clause.text));
  return clauses;
}

void check_title(Violation where, const std::vector<Messages>& said, std::vector<Violation>& found) {
  Unsaid unsaid;
  const std::vector<std::string> parts = literal_parts(where.name);
  if (parts.empty()) {
    where.what = "a title without a literal part: quote some of the message";
    found.push_back(std::move(where));
    return;
  }
  if (is_said(parts, said, unsaid)) return;
  const std::vector<std::vector<std::string>> clauses = clauses_of(where.name);
  const bool all = std::all_of(clauses.begin(), clauses.end(),
                               [&](const auto& clause) { return clause.empty() || is_said(clause, said, unsaid); });
  if (all) return;
  where.what = "no message has the part '" + unsaid.part + "' (nearest: " + unsaid.nearest +
               "): write the title as the code says it";
  found.push_back(std::move(where));
}

}  // namespace

Messages messages_of(std::string_view path, std::string_view text) {
  const CppText parts = take_apart(text);
  Messages messages{std::string(path), ""};
  std::size_t last_end = 0;
  for (const Literal& literal : parts.literals) {
    const std::string_view between = std::string_view(parts.code).substr(last_end, literal.begin - last_end);
    if (trimmed(between) == ",") {
      messages.text += "; ";  // what happened, and the advice
    } else if (!is_blank(between)) {
      messages.text += kPlaceholder;
    }
    std::string said = literal.text;
    replace_fields(said);
    messages.text += said;
    last_end = literal.end;
  }
  return messages;
}

std::vector<std::string> literal_parts(std::string_view title) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < title.size();) {
    const std::string_view rest = title.substr(i);
    std::size_t skipped = 0;
    if (rest.starts_with("...")) {
      skipped = 3;
    } else if (rest.front() == '<' && rest.find('>') != rest.npos) {
      skipped = end_of_placeholder(rest);
    } else if (is_digit(rest.front()) && (i == 0 || !is_word(title[i - 1]))) {
      skipped = rest.find_first_not_of("0123456789");
    }
    if (skipped == 0) {
      parts.back() += rest.front();
      ++i;
    } else {
      parts.emplace_back();
      i += std::min(skipped, rest.size());
    }
  }
  for (std::string& part : parts) part = std::string(without_joints(part));
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  return parts;
}

std::vector<Violation> unsaid_titles(std::string_view path, std::string_view text, const std::vector<Messages>& said) {
  std::vector<Violation> found;
  for (const Line& line : lines_of(text)) {
    if (!line.text.starts_with("## `")) continue;
    std::size_t open = line.text.find('`');
    while (open != line.text.npos) {
      const std::size_t close = line.text.find('`', open + 1);
      if (close == line.text.npos) break;
      check_title({std::string(path), line.number, std::string(line.text.substr(open + 1, close - open - 1)), ""}, said,
                  found);
      open = line.text.find('`', close + 1);
    }
  }
  return found;
}

}  // namespace leat::tidy
