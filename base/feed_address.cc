#include <leat/feed_paths.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace leat {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFeedNameBytes = 64;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_feed_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxFeedNameBytes && name[0] != '-' && std::ranges::all_of(name, allowed);
}

// A variable is inherited by programs in many directories, each of which would take a relative path for another place.
Result<std::string> environment_path(const char* name, const char* option) {
  std::string value = environment(name);
  if (value.empty() || value[0] == '/') return value;
  return Error{
      ErrorCode::invalid_argument,
      std::string(name) + " is '" + value +
          "', which is no absolute path: programs in different working directories would not find each other's feeds",
      std::string("set it to an absolute path, or unset it and give ") + option};
}

Result<std::string> default_data_dir() {
  if (::geteuid() == 0) return std::string("/var/lib/leat");
  auto home = environment_path("HOME", "--data-dir");
  if (home && home->empty()) {
    return Error{ErrorCode::invalid_argument, "no journal directory: set HOME, LEAT_DATA_DIR or --data-dir"};
  }
  return home ? Result<std::string>(*home + "/.local/share/leat") : home;
}

// What was named in the call, else in the variable, else nothing.
Result<std::string> named_directory(const std::string& given, const char* variable, const char* option) {
  return given.empty() ? environment_path(variable, option) : Result<std::string>(given);
}

bool is_own_directory(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Where a feed may be served when nobody says where, best first. Root under sudo often has the $XDG_RUNTIME_DIR of
// whoever became root: another user's directory is none of ours.
std::vector<fs::path> default_runtime_dirs(bool for_others) {
  const std::string uid = std::to_string(::geteuid());
  std::vector<fs::path> choices;
  const auto add = [&](const fs::path& path) {
    if (std::ranges::find(choices, path) == choices.end()) choices.push_back(path);
  };
  const fs::path session = environment("XDG_RUNTIME_DIR");  // a relative one is ignored: so says its specification
  if (!for_others && session.is_absolute() && is_own_directory(session)) add(session.lexically_normal() / "leat");
  add("/dev/shm/leat-" + uid);
  // For one that was started without the variable: to find what others serve, never to begin there.
  const fs::path usual = "/run/user/" + uid;
  if (!for_others && is_own_directory(usual)) add(usual / "leat");
  return choices;
}

}  // namespace

const fs::path& pick_runtime(const std::vector<fs::path>& choices) {
  if (choices.size() > 1) {
    const auto ours = [](const fs::path& path) { return is_own_directory(path.parent_path()); };
    const auto served = [&](const fs::path& path) { return ours(path) && is_there(path / "control.sock"); };
    const auto known = [&](const fs::path& path) { return ours(path) && is_there(path / "shm"); };
    if (const auto found = std::ranges::find_if(choices, served); found != choices.end()) return *found;
    if (const auto found = std::ranges::find_if(choices, known); found != choices.end()) return *found;
  }
  return choices.front();
}

Result<FeedPaths> resolve_feed(const FeedAddress& address, bool for_others) {
  if (!is_feed_name(address.feed)) {
    return Error{ErrorCode::invalid_argument, "bad feed name '" + address.feed.substr(0, 80) + "'",
                 "use 1 to 64 of A-Z a-z 0-9 _ and -, not starting with -", Error::Join::colon};
  }
  const auto named = named_directory(address.runtime_dir, "LEAT_RUNTIME_DIR", "--runtime-dir");
  if (!named) return named.error();
  FeedPaths paths{.runtime = {}, .journal = {}, .runtime_choices = {}, .runtime_was_named = !named->empty()};
  if (!named->empty()) paths.runtime_choices = {fs::path(*named) / address.feed};
  else {
    for (const fs::path& base : default_runtime_dirs(for_others)) paths.runtime_choices.push_back(base / address.feed);
  }
  paths.runtime = pick_runtime(paths.runtime_choices);
  auto data = named_directory(address.data_dir, "LEAT_DATA_DIR", "--data-dir");
  if (data && data->empty()) data = default_data_dir();
  if (!data) return data.error();
  paths.journal = fs::path(*data) / address.feed;
  return paths;
}

}  // namespace leat
