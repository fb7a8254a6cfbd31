// leatd's TOML file as words of a command line.
#pragma once

#include <string>
#include <vector>

#include <leat/result.h>

namespace leat::broker {

/// A key of the file: an option without its dashes.
struct ConfigEntry {
  enum class Type : unsigned char { truth, whole, text, texts };
  std::string key;
  Type type = Type::text;
  std::vector<std::string> values;  ///< one, or those of an array
  std::string place;                ///< "/etc/leatd.toml, line 3, column 1"
};

/// Reads the file. Error: invalid_argument, naming the file, what is wrong with it, and where.
Result<std::vector<ConfigEntry>> read_config(const std::string& path);

}  // namespace leat::broker
