// "Did you mean ...?"
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leat::internal {

/// How many letters must be put in, taken out, replaced, or swapped with the next to make `b` of `a`.
std::size_t letters_apart(std::string_view a, std::string_view b);

/// The one of `known` that was most likely meant by `typed`; empty if none comes near. Dashes in front do not count.
std::string nearest(std::string_view typed, const std::vector<std::string>& known);

}  // namespace leat::internal
