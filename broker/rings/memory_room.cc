#include "broker/rings/memory_room.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

namespace leat::broker {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kKiB = 1024;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

// "max" is no limit; so is what v1 says for it, a number near 2^63.
std::optional<std::uint64_t> read_limit(const fs::path& path) {
  std::ifstream file(path);
  std::string text;
  if (!(file >> text)) return std::nullopt;
  if (text == "max") return kNoLimit;
  const auto value = parse_number(text);
  constexpr std::uint64_t kAsGoodAsNone = 1ULL << 62;
  return value && *value >= kAsGoodAsNone ? kNoLimit : value;
}

// The value behind a key of memory.stat or meminfo ("MemAvailable:").
std::uint64_t read_value(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name >> value && name == key) return value;
  }
  return 0;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }
std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return a > kNoLimit - b ? kNoLimit : a + b; }

// One cgroup of either version.
std::uint64_t room_of(const fs::path& group, bool v2, std::uint64_t free_swap) {
  const fs::path stat = group / "memory.stat";
  const auto limit = read_limit(group / (v2 ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = read_limit(group / (v2 ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || *limit == kNoLimit || !used) return kNoLimit;
  const std::string prefix = v2 ? "" : "total_";
  const std::uint64_t files = read_value(stat, prefix + "inactive_file") + read_value(stat, prefix + "active_file");
  const std::uint64_t memory = plus(minus(*limit, *used), std::min(files, *used));
  const auto swap_limit = read_limit(group / (v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes"));
  const auto swap_used = read_limit(group / (v2 ? "memory.swap.current" : "memory.memsw.usage_in_bytes"));
  if (!swap_limit || !swap_used) return memory;  // no swap is accounted for: do not count on it
  if (v2) return plus(memory, std::min(free_swap, minus(*swap_limit, *swap_used)));
  const std::uint64_t both =
      plus(minus(*swap_limit, *swap_used), std::min(files, *swap_used));  // memory and swap together
  return std::min(plus(memory, free_swap), both);
}

struct Mount {
  fs::path at;       // where it is mounted
  std::string part;  // of its tree, which stands there
};

std::optional<Mount> find_mount(const fs::path& proc, bool v2) {
  std::ifstream mounts(proc / "self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string id, parent, device, part, at, type, source, options;
    before >> id >> parent >> device >> part >> at;
    after >> type >> source >> options;
    if (v2 ? type != "cgroup2" : type != "cgroup") continue;
    if (!v2 && ("," + options + ",").find(",memory,") == std::string::npos) continue;
    return Mount{.at = at, .part = part};
  }
  return std::nullopt;
}

// The path of our own group, as /proc/self/cgroup has it.
std::optional<std::string> find_group(const fs::path& proc, bool v2) {
  std::ifstream groups(proc / "self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool wanted = v2 ? controllers.empty() : ("," + controllers + ",").find(",memory,") != std::string::npos;
    if (wanted) return line.substr(second + 1);
  }
  return std::nullopt;
}

void narrow(MemoryRoom& room, std::uint64_t bytes, const std::string& bound) {
  if (bytes >= room.bytes) return;
  room.bytes = bytes;
  room.bound = bound;
}

// Ours and all above it. In a container the path is one of the host, or is cut to what the container sees.
void ask_groups(MemoryRoom& room, const fs::path& proc, const fs::path& root, bool v2, std::uint64_t free_swap) {
  const auto mount = find_mount(proc, v2);
  const auto group = find_group(proc, v2);
  if (!mount || !group) return;
  std::string inside = *group;
  if (mount->part != "/" && inside.starts_with(mount->part)) inside = inside.substr(mount->part.size());
  const fs::path top = root / mount->at.relative_path();
  fs::path at = (top / fs::path(inside).relative_path()).lexically_normal();
  std::error_code ignored;
  const bool outside = inside.find("..") != std::string::npos;
  if (outside || !fs::is_directory(at, ignored)) at = top;
  for (;;) {
    narrow(room, room_of(at, v2, free_swap), "the memory cgroup " + at.string());
    if (at == top || at.string().size() <= top.string().size()) break;
    at = at.parent_path();
  }
}

}  // namespace

MemoryRoom find_memory_room(const fs::path& proc, const fs::path& root) {
  MemoryRoom room;
  const fs::path meminfo = proc / "meminfo";
  const std::uint64_t free_swap = read_value(meminfo, "SwapFree:") * kKiB;
  const std::uint64_t available = read_value(meminfo, "MemAvailable:") * kKiB;
  if (available > 0) narrow(room, plus(available, free_swap), "this machine (MemAvailable of /proc/meminfo)");
  for (const bool v2 : {true, false}) ask_groups(room, proc, root, v2, free_swap);
  return room;
}

}  // namespace leat::broker
