// Texts that may hold any byte, in JSON made with nlohmann::json, which refuses what is not UTF-8.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "text/text_encoding.h"

namespace leat::tool {

/// Sets `name` to `bytes`: as they are if they are UTF-8, else readable (\xNN), with the bytes themselves as
/// <name>_base64.
inline void set_text(nlohmann::json& object, const std::string& name, std::string_view bytes) {
  object[name] = readable_utf8(bytes);
  if (is_utf8(bytes)) return;
  std::string encoded;
  append_base64(encoded, bytes);
  object[name + "_base64"] = encoded;
}

}  // namespace leat::tool
