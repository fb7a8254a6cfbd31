// What a run says: JSON for programs, tables for people, one HTML file with pictures.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "targets.h"

namespace leat::bench {

nlohmann::json to_json(const Results& results);

/// The tables that a terminal gets. Takes the JSON, so that an old run can be shown again.
std::string to_text(const nlohmann::json& run);

/// A page that needs nothing but itself. `template_html` holds the text `/*RUN*/null` where the data go.
std::string to_html(const nlohmann::json& run, const std::string& template_html);

/// Fills in Outcome::floor and over_floor.
void compare_with_floors(Results& results);

}  // namespace leat::bench
