// The topic that was checked last: most events have the topic of the one before them, and comparing costs a tenth of
// checking.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "record/record.h"

namespace leat::internal {

/// Not thread-safe; 256 bytes.
class TopicMemo {
 public:
  /// As topic_is_valid(). The bytes must not change meanwhile.
  [[nodiscard]] bool valid(std::string_view topic) noexcept {
    if (topic.size() == size_ && same(topic.data())) return true;
    if (!topic_is_valid(topic)) return false;
    std::memcpy(last_, topic.data(), topic.size());
    size_ = topic.size();
    return true;
  }

 private:
  // Two overlapping words for 8 to 16 bytes, the length of most topics.
  [[nodiscard]] bool same(const char* topic) const noexcept {
    if (size_ < kWordBytes || size_ > 2 * kWordBytes) return std::memcmp(topic, last_, size_) == 0;
    const std::size_t second = size_ - kWordBytes;
    return ((word(topic) ^ word(last_)) | (word(topic + second) ^ word(last_ + second))) == 0;
  }
  static std::uint64_t word(const char* at) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t size_ = kNone;
  char last_[kMaxTopicBytes];
};

}  // namespace leat::internal
