#include "cmdline/version.h"

namespace leat::cmdline {

const char* const kVersion = LEAT_VERSION;

}  // namespace leat::cmdline
