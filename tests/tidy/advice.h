// Rule `advice`: what an Error says of what happened does not hold what to do about it.
//
// An Error takes its code, what happened, and the advice, as three: whoever shows them apart, or has general advice
// where there is none, must not look for a semicolon in a sentence. So the argument behind `ErrorCode::<code>,` holds
// no literal with "; " before a lower-case letter or at its end, and none with ": use ". Adjacent literals are one.
//
// How to read it: `base/x.cc:7: "it is full; free some" holds advice: give it to the Error as an argument of its own`.
// allowed.txt takes the literal as name, where a semicolon goes on with what happened.
#pragma once

#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

std::vector<Violation> hidden_advice(std::string_view path, std::string_view text);

}  // namespace leat::tidy
