// Texts that people and other programs hand in: cursors, segment names, topics, filters, names of cursors, options.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include <leat/cursor.h>
#include <leat/topic_filter.h>

#include "broker/control/admission.h"
#include "broker/options.h"
#include "journal/format/cursor_file.h"
#include "journal/format/segment_layout.h"
#include "record/record.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::fuzz {
namespace {

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// The rule of filters, as it is written down, by recursion over characters.
bool matches_slowly(std::string_view pattern, std::string_view topic) {
  const std::size_t pattern_dot = std::min(pattern.find('.'), pattern.size());
  const std::size_t topic_dot = std::min(topic.find('.'), topic.size());
  const std::string_view token = pattern.substr(0, pattern_dot);
  if (token == ">") return true;
  if (token != "*" && token != topic.substr(0, topic_dot)) return false;
  const bool pattern_ends = pattern_dot == pattern.size();
  const bool topic_ends = topic_dot == topic.size();
  if (pattern_ends || topic_ends) return pattern_ends && topic_ends;
  return matches_slowly(pattern.substr(pattern_dot + 1), topic.substr(topic_dot + 1));
}

}  // namespace

LEAT_FUZZ_TARGET(cursor_text) {
  const auto cursor = Cursor::parse(as_text(input));
  if (cursor) {
    const auto again = Cursor::parse(cursor->to_string());
    LEAT_FUZZ_CHECK(again.ok() && *again == *cursor);
  }
  Reader reader(input);
  const Cursor any{.epoch = reader.take<std::uint64_t>(), .sequence = reader.take<std::uint64_t>()};
  const auto parsed = Cursor::parse(any.to_string());
  LEAT_FUZZ_CHECK(parsed.ok() && *parsed == any);
}

LEAT_FUZZ_TARGET(segment_name) {
  const auto name = internal::SegmentName::parse(as_text(input));
  if (name) LEAT_FUZZ_CHECK(name->to_string() == as_text(input));
  Reader reader(input);
  const internal::SegmentName any{reader.take<std::uint64_t>(), reader.take<std::uint64_t>()};
  const auto parsed = internal::SegmentName::parse(any.to_string());
  LEAT_FUZZ_CHECK(parsed.has_value() && *parsed == any);
  (void)internal::is_cursor_name(as_text(input));
}

LEAT_FUZZ_TARGET(topic_filter) {
  const std::string_view text = as_text(input);
  const std::size_t split = std::min(text.find('\n'), text.size());
  const std::string_view pattern = text.substr(0, split);
  const std::string_view topic = split < text.size() ? text.substr(split + 1) : std::string_view{};
  const auto filter = TopicFilter::parse(pattern);
  LEAT_FUZZ_CHECK(check_topic(topic).ok() == internal::topic_is_valid(topic));
  if (!filter) {
    LEAT_FUZZ_CHECK(!internal::topic_is_valid(pattern));  // every topic is a filter, of itself
    return;
  }
  const bool matched = filter->matches(topic);  // also of what is no topic: it must not read beyond
  if (internal::topic_is_valid(topic)) LEAT_FUZZ_CHECK(matched == matches_slowly(pattern, topic));
  if (internal::topic_is_valid(pattern)) LEAT_FUZZ_CHECK(filter->matches(pattern));
}

LEAT_FUZZ_TARGET(admission_rule) {
  std::vector<std::string> rules;
  for (std::string_view left = as_text(input); !left.empty();) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    // Names go to the user database, which is not ours to fuzz.
    if (!left.starts_with("user:") && !left.starts_with("group:")) rules.emplace_back(left.substr(0, end));
    left.remove_prefix(std::min(left.size(), end + 1));
  }
  const auto admission = broker::Admission::parse(rules, {});
  const broker::Peer stranger{.pid = 1, .uid = 4'000'000'001U, .groups = {4'000'000'002U}};
  if (!admission) return;
  bool admitted = false;
  for (const std::string& rule : rules)
    admitted |= rule == "any" || rule == "uid:4000000001" || rule == "gid:4000000002";
  bool padded = false;  // "uid:04000000001" is the same number
  for (const std::string& rule : rules) padded |= rule.size() > 4 && rule[4] == '0';
  if (!padded) LEAT_FUZZ_CHECK(admission->check(stranger, internal::Role::producer).ok() == admitted);
  LEAT_FUZZ_CHECK(!admission->check(stranger, internal::Role::consumer).ok());
}

// leatd's TOML file: whatever stands in it ends in options that fit together, or in a message.
LEAT_FUZZ_TARGET(config_file) {
  static const test::TempDirectory directory;
  const std::string path = (directory.path() / "leatd.toml").string();
  std::ofstream(path, std::ios::binary | std::ios::trunc) << as_text(input);
  const char* const words[] = {"leatd", "--feed", "fuzz", "--config", path.c_str()};
  const broker::ParsedOptions parsed = broker::parse_options(std::size(words), words);
  if (parsed.exit_now) {
    LEAT_FUZZ_CHECK(!parsed.text.empty());
    return;
  }
  if (!broker::check_options(parsed.options)) return;
  LEAT_FUZZ_CHECK(broker::max_record_bytes(parsed.options) <= parsed.options.ring_bytes / 4);
}

}  // namespace leat::fuzz
