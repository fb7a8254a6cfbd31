// Which release this is.
#pragma once

namespace leat::cmdline {

/// As CMakeLists.txt has it: the one place where it is typed.
extern const char* const kVersion;

}  // namespace leat::cmdline
