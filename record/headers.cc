#include "record/headers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/words.h"

namespace leat::internal {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

/// One header after the other, of either source. At most 64 headers: comparing each with each is cheap.
class Validator {
 public:
  bool take(const Header& header) noexcept {
    if (count_ == kMaxHeaders || !header_name_is_valid(header.name)) return false;
    bytes_ += header.name.size() + header.value.size();
    if (header.value.size() > kMaxHeadersBytes || bytes_ > kMaxHeadersBytes) return false;
    const auto end = names_.begin() + static_cast<std::ptrdiff_t>(count_);
    if (std::find(names_.begin(), end, header.name) != end) return false;
    names_[count_++] = header.name;
    return true;
  }

 private:
  std::array<std::string_view, kMaxHeaders> names_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

bool header_name_is_valid(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::ranges::all_of(name, [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

bool headers_are_valid(std::span<const Header> headers) noexcept {
  Validator validator;
  return std::ranges::all_of(headers, [&](const Header& header) { return validator.take(header); });
}

bool headers_are_valid(std::string_view bytes) noexcept {
  if (bytes.empty()) return true;
  Validator validator;
  std::size_t taken = 0;
  for (const Header& header : HeaderList(bytes)) {
    if (!validator.take(header)) return false;
    taken += kHeaderPairBytes + header.name.size() + header.value.size();
  }
  const std::string_view padding = bytes.substr(taken);
  return taken > 0 && padding.size() < kHeadersUnit &&
         std::ranges::all_of(padding, [](char byte) { return byte == 0; });
}

std::size_t headers_units(std::span<const Header> headers) noexcept {
  std::size_t bytes = 0;
  for (const Header& header : headers) bytes += kHeaderPairBytes + header.name.size() + header.value.size();
  return align_up(bytes, kHeadersUnit) / kHeadersUnit;
}

std::size_t encode_headers(std::byte* to, std::span<const Header> headers) noexcept {
  std::byte* at = to;
  for (const Header& header : headers) {
    const auto value_length = static_cast<std::uint16_t>(header.value.size());
    *at++ = static_cast<std::byte>(header.name.size());
    std::memcpy(at, &value_length, sizeof value_length);
    at += sizeof value_length;
    std::memcpy(at, header.name.data(), header.name.size());
    at += header.name.size();
    if (!header.value.empty()) std::memcpy(at, header.value.data(), header.value.size());
    at += header.value.size();
  }
  const auto used = static_cast<std::size_t>(at - to);
  const std::size_t padded = align_up(used, kHeadersUnit);
  std::memset(at, 0, padded - used);
  return padded;
}

}  // namespace leat::internal
