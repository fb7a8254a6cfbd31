#include "broker/host/toml_config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include <toml++/toml.h>

#include "base/quantity.h"
#include "base/unique_fd.h"

namespace leat::broker {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;  // more is no configuration
constexpr std::size_t kMaxPathBytes = 4096;

Error bad(std::string what, std::string_view advice = {}) {
  return {ErrorCode::invalid_argument, std::move(what), advice};
}

std::string shown(const std::string& path) {
  const std::string quoted = internal::quoted_text(path, kMaxPathBytes);
  return quoted.substr(1, quoted.size() - 2);
}

Result<std::string> read_file(const std::string& path) {
  const auto failed = [&](int error) {
    return bad("cannot read the configuration " + shown(path) + ": " + std::strerror(error),
               "correct path or rights of --config");
  };
  const internal::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) return failed(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed(errno);
  if (S_ISDIR(status.st_mode)) return failed(EISDIR);
  std::string text;
  for (;;) {
    const std::size_t had = text.size();
    text.resize(had + 4096);
    const ssize_t got = ::read(fd.get(), text.data() + had, 4096);
    const int error = errno;
    text.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return failed(error);
    if (got == 0) return text;
    if (text.size() > kMaxFileBytes)
      return bad("the configuration " + shown(path) + " is over 1 MiB: is it another file?");
  }
}

std::string place_of(const std::string& path, const toml::source_region& source) {
  return shown(path) + ", line " + std::to_string(source.begin.line) + ", column " +
         std::to_string(source.begin.column);
}

std::string oneline(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out;
}

/// Exact: value() would make a whole number of a float or of true.
std::optional<std::string> text_of(const toml::node& node, ConfigEntry::Type& type) {
  if (const auto text = node.value_exact<std::string>()) {
    type = ConfigEntry::Type::text;
    return *text;
  }
  if (const auto number = node.value_exact<std::int64_t>()) {
    type = ConfigEntry::Type::whole;
    return std::to_string(*number);
  }
  if (const auto truth = node.value_exact<bool>()) {
    type = ConfigEntry::Type::truth;
    return *truth ? "true" : "false";
  }
  return std::nullopt;
}

Result<ConfigEntry> entry_of(const std::string& path, const toml::key& key, const toml::node& node) {
  ConfigEntry entry;
  entry.key = std::string(key.str());
  entry.place = place_of(path, key.source());
  const std::string name = entry.place + ": " + internal::quoted_text(entry.key);
  if (node.is_table())
    return bad(name + " is a table", "all keys stand at the top level, without [...] and without dots");
  if (const toml::array* const array = node.as_array()) {
    for (const toml::node& element : *array) {
      auto text = text_of(element, entry.type);
      if (!text || entry.type != ConfigEntry::Type::text) return bad(name + " holds something that is no string");
      entry.values.push_back(std::move(*text));
    }
    entry.type = ConfigEntry::Type::texts;
    return entry;
  }
  auto text = text_of(node, entry.type);
  if (!text)
    return bad(name + " is a number with a point, a date or a time", "write a string, a whole number, true or false");
  entry.values.push_back(std::move(*text));
  return entry;
}

}  // namespace

Result<std::vector<ConfigEntry>> read_config(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  std::vector<ConfigEntry> entries;
  try {
    const toml::table table = toml::parse(std::string_view(*text));
    for (const auto& [key, node] : table) {
      auto entry = entry_of(path, key, node);
      if (!entry) return entry.error();
      entries.push_back(std::move(*entry));
    }
  } catch (const toml::parse_error& error) {
    return bad(place_of(path, error.source()) + ": not TOML: " + oneline(error.description()));
  }
  return entries;
}

}  // namespace leat::broker
