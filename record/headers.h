// Headers of an event as they lie in a record: pairs of
//
//   off size field
//     0    1 name_length    1 to 255; 0 ends the list
//     1    2 value_length
//     3      name, value
//
// one behind the other without alignment, then zeros up to a multiple of kHeadersUnit. The record's header counts such
// units in one byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <leat/header.h>

#include "record/record_layout.h"

namespace leat::internal {

inline constexpr std::size_t kHeaderPairBytes = 3;
static_assert((kMaxHeadersBytes + kMaxHeaders * kHeaderPairBytes) / kHeadersUnit < 255, "they are counted in a byte");

/// Printable ASCII without blanks, 1 to 255 bytes.
bool header_name_is_valid(std::string_view name) noexcept;
/// Names are valid, none stands there twice, and bounds are kept.
bool headers_are_valid(std::span<const Header> headers) noexcept;
/// Of what lies in a record: also, that each byte behind the last pair is zero.
bool headers_are_valid(std::string_view bytes) noexcept;

/// How many units the headers, which are valid, take.
std::size_t headers_units(std::span<const Header> headers) noexcept;
/// Encodes them at `to`, with their padding. Returns the bytes they take.
std::size_t encode_headers(std::byte* to, std::span<const Header> headers) noexcept;

}  // namespace leat::internal
