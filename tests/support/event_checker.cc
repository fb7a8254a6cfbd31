#include "support/event_checker.h"

#include <charconv>

namespace leat::test {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Event Generated::make(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix) {
  key = "p" + std::to_string(producer);
  topic = "stress." + key;
  message_id = std::to_string(number);
  return {.topic = topic,
          .key = key,
          .message_id = message_id,
          .payload = make_payload(seed, producer, number, mix, buffer)};
}

bool EventChecker::fail(const EventView& event, const std::string& what) {
  error_ = "sequence " + std::to_string(event.sequence) + " (key '" + std::string(event.key) + "', id '" +
           std::string(event.message_id) + "', " + std::to_string(event.payload.size()) + " B, producer " +
           std::to_string(event.producer_id) + "/" + std::to_string(event.producer_sequence) + "): " + what +
           ", after " + std::to_string(count_) + " good events";
  return false;
}

bool EventChecker::take(const EventView& event) {
  if (!error_.empty()) return false;
  if (next_sequence_ != 0 && event.sequence != next_sequence_) {
    return fail(event, "expected sequence " + std::to_string(next_sequence_));
  }
  std::uint32_t producer = 0;
  std::uint64_t number = 0;
  if (!event.key.starts_with('p') || !parse_number(event.key.substr(1), producer) ||
      !parse_number(event.message_id, number)) {
    return fail(event, "not a generated event");
  }
  std::uint64_t& next = next_number_.try_emplace(producer, anywhere_ ? number : 0).first->second;
  if (number != next) return fail(event, "expected event " + std::to_string(next) + " of this producer");
  const Event wanted = expected_.make(seed_, producer, number, mix_);
  if (event.topic != wanted.topic) return fail(event, "topic differs");
  if (event.payload.size() != wanted.payload.size()) {
    return fail(event, "expected " + std::to_string(wanted.payload.size()) + " bytes of payload");
  }
  if (event.payload != wanted.payload) return fail(event, "payload bytes differ");
  if (event.timestamp_ns < last_timestamp_ns_) return fail(event, "time goes back");
  last_timestamp_ns_ = event.timestamp_ns;
  next_sequence_ = event.sequence + 1;
  ++next;
  ++count_;
  return true;
}

std::uint64_t EventChecker::count_of(std::uint32_t producer) const {
  const auto found = next_number_.find(producer);
  return found == next_number_.end() ? 0 : found->second;
}

}  // namespace leat::test
