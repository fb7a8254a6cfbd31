#include <leat/feed_address.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace leat {
namespace {

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

std::string default_data_dir() {
  if (::geteuid() == 0) return "/var/lib/leat";
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.local/share/leat";
}

}  // namespace

Result<FeedPaths> resolve_feed(const FeedAddress& address) {
  if (!is_feed_name(address.feed)) {
    return Error{ErrorCode::invalid_argument, "bad feed name '" + address.feed.substr(0, 80) +
                                                  "': use 1 to 64 of A-Z a-z 0-9 _ and -, not starting with -"};
  }
  std::string runtime = address.runtime_dir.empty() ? environment("LEAT_RUNTIME_DIR") : address.runtime_dir;
  if (runtime.empty()) runtime = "/dev/shm/leat-" + std::to_string(::geteuid());
  std::string data = address.data_dir.empty() ? environment("LEAT_DATA_DIR") : address.data_dir;
  if (data.empty()) data = default_data_dir();
  if (data.empty()) {
    return Error{ErrorCode::invalid_argument, "no journal directory: set HOME, LEAT_DATA_DIR or --data-dir"};
  }
  return FeedPaths{.runtime = std::filesystem::path(runtime) / address.feed,
                   .journal = std::filesystem::path(data) / address.feed};
}

}  // namespace leat
