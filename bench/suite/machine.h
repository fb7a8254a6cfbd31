// On what, and with what, a result was measured.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace leat::bench {

/// CPU, cores, memory, kernel, governor, compiler, flags, commit, date; "unknown" where the machine does not say.
nlohmann::json describe_machine(const std::string& scratch);

}  // namespace leat::bench
