#include <array>

#include <leat/topic_filter.h>

#include "record/record.h"

namespace leat {
namespace {

// One look-up a byte: printable ASCII without space and the two wildcards; the dot separates.
constexpr std::array<bool, 256> kTopicByte = [] {
  std::array<bool, 256> table{};
  for (std::size_t byte = 0x21; byte <= 0x7e; ++byte) table[byte] = byte != '*' && byte != '>';
  return table;
}();

std::vector<std::string> split_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t dot = std::min(text.find('.', begin), text.size());
    tokens.emplace_back(text.substr(begin, dot - begin));
    begin = dot + 1;
  }
  return tokens;
}

}  // namespace

bool internal::topic_is_valid(std::string_view topic) noexcept {
  if (topic.empty() || topic.size() > kMaxTopicBytes) return false;
  bool after_dot = true;  // a dot here would make an empty token
  for (const char c : topic) {
    if (!kTopicByte[static_cast<unsigned char>(c)]) return false;
    if (c == '.' && after_dot) return false;
    after_dot = c == '.';
  }
  return !after_dot;
}

Result<void> check_topic(std::string_view topic) {
  if (internal::topic_is_valid(topic)) return {};
  return Error{ErrorCode::bad_topic, "bad topic '" + std::string(topic.substr(0, 64)) + "'",
               "use 1 to 255 bytes of printable ASCII without space, '*' or '>', in non-empty "
               "tokens separated by dots, like session.created",
               Error::Join::colon};
}

Result<TopicFilter> TopicFilter::parse(std::string_view pattern) {
  TopicFilter filter;
  std::vector<std::string> tokens = split_tokens(pattern);
  const auto bad = [&](const std::string& why) {
    return Error{
        ErrorCode::invalid_argument, "bad filter '" + std::string(pattern) + "': " + why,
        "use tokens separated by dots, '*' for one token, a final '>' for all that follow, like session.*.done"};
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (token.empty()) return bad("empty token");
    if (token == ">") {
      if (i + 1 != tokens.size()) return bad("'>' is not the last token");
    } else if (token != "*" && !internal::topic_is_valid(token)) {
      return bad("token '" + token + "' is not a topic token");
    }
  }
  if (tokens.back() == ">") {
    filter.open_end_ = true;
    tokens.pop_back();
    if (tokens.empty()) return TopicFilter{};  // a lone '>' matches everything
  }
  filter.tokens_ = std::move(tokens);
  return filter;
}

bool TopicFilter::matches(std::string_view topic) const noexcept {
  if (tokens_.empty()) return true;
  std::size_t begin = 0;
  for (const std::string& token : tokens_) {
    if (begin > topic.size()) return false;
    const std::size_t dot = std::min(topic.find('.', begin), topic.size());
    if (token != "*" && topic.substr(begin, dot - begin) != token) return false;
    begin = dot + 1;
  }
  return open_end_ ? begin <= topic.size() : begin == topic.size() + 1;
}

}  // namespace leat
