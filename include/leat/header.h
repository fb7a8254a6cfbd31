// Headers: name/value pairs that an event carries besides its payload, such as traceparent or content-type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

namespace leat {

/// One name/value pair. The name: 1 to 255 printable bytes of ASCII without blanks. The value: any bytes.
struct Header {
  std::string_view name = {};
  std::string_view value = {};
};

inline constexpr std::size_t kMaxHeaders = 64;         ///< of one event; no name twice
inline constexpr std::size_t kMaxHeadersBytes = 4096;  ///< names and values of one event together

/// An event's headers as they lie in its record. A view: lives as long as the event's other views. Reading is safe for
/// any bytes; what does not parse ends the list. Any thread.
class HeaderList {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    using pointer = const Header*;
    using reference = const Header&;

    Iterator() = default;
    explicit Iterator(std::string_view bytes) noexcept : left_(bytes) { read(); }
    const Header& operator*() const noexcept { return header_; }
    const Header* operator->() const noexcept { return &header_; }
    Iterator& operator++() noexcept {
      left_.remove_prefix(kPairBytes + header_.name.size() + header_.value.size());
      read();
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const noexcept { return left_.size() == other.left_.size(); }

   private:
    // An empty name, or a pair that is cut off, is the end.
    void read() noexcept {
      if (left_.size() > kPairBytes && left_[0] != 0) {
        const std::size_t name = static_cast<unsigned char>(left_[0]);
        std::uint16_t value = 0;
        std::memcpy(&value, left_.data() + 1, sizeof value);
        if (kPairBytes + name + value <= left_.size()) {
          header_ = {left_.substr(kPairBytes, name), left_.substr(kPairBytes + name, value)};
          return;
        }
      }
      left_ = {};
      header_ = {};
    }

    static constexpr std::size_t kPairBytes = 3;  // lengths of name (1) and value (2)
    std::string_view left_;
    Header header_;
  };

  HeaderList() = default;
  /// `bytes`: as docs/formats.md has them.
  explicit HeaderList(std::string_view bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return begin() == end(); }
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(bytes_); }
  [[nodiscard]] Iterator end() const noexcept { return {}; }
  /// The value of the header of that name, byte for byte, if there is one.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept {
    for (const Header& header : *this) {
      if (header.name == name) return header.value;
    }
    return std::nullopt;
  }
  /// Encoded, zero padding included.
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace leat
