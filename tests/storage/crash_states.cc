#include "tests/storage/crash_states.h"

#include <algorithm>
#include <cstring>

namespace leat::test {

namespace {

constexpr std::size_t kExtremes = 4;
constexpr std::size_t kWord = 8;

bool chance(std::mt19937_64& random, double likely) {
  return std::uniform_real_distribution<double>(0, 1)(random) < likely;
}
std::size_t below(std::mt19937_64& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

}  // namespace

CrashStates::CrashStates(const Disk& disk) : disk_(disk) {
  for (const auto& [inode, file] : disk.files()) {
    for (const auto& [sector, versions] : file.sectors) dirty_.push_back({inode, sector});
  }
}

// `size` picks of {durable, sizes...} by index; `sector` picks the versions that a sector holds.
template <typename Size, typename Sector>
std::string CrashStates::bytes_of(const Disk::File& file, ino_t inode, Size&& size, Sector&& sector) const {
  const std::size_t chosen = size(file.sizes.size() + 1);
  std::string bytes = file.durable;
  bytes.resize(chosen == 0 ? file.durable.size() : file.sizes[chosen - 1], '\0');
  for (const auto& [number, versions] : file.sectors) {
    const std::size_t from = number * kSectorBytes;
    if (from >= bytes.size()) continue;
    std::string content(kSectorBytes, '\0');
    if (from < file.durable.size()) {
      std::memcpy(content.data(), file.durable.data() + from, std::min(kSectorBytes, file.durable.size() - from));
    }
    sector(inode, number, versions, content);
    std::memcpy(bytes.data() + from, content.data(), std::min(kSectorBytes, bytes.size() - from));
  }
  return bytes;
}

// `keep` says of each change of a name whether it got to the disk.
template <typename Keep, typename Size, typename Sector>
Image CrashStates::build(Keep&& keep, Size&& size, Sector&& sector) const {
  std::map<std::string, ino_t> names = disk_.durable_names();
  for (std::size_t i = 0; i < disk_.changes().size(); ++i) {
    const Disk::NameChange& change = disk_.changes()[i];
    if (!keep(i, change)) continue;
    if (const auto old = names.find(change.from); old != names.end() && old->second == change.file) names.erase(old);
    if (!change.to.empty()) names[change.to] = change.file;
  }
  Image image;
  for (const auto& [name, inode] : names) image[name] = bytes_of(disk_.files().at(inode), inode, size, sector);
  return image;
}

std::size_t CrashStates::systematic_count() const { return kExtremes + 2 * dirty_.size() + disk_.changes().size(); }

Image CrashStates::systematic(std::size_t index) const {
  const auto newest = [](std::size_t versions) { return versions - 1; };
  const auto take_newest = [](ino_t, std::size_t, const std::vector<std::string>& versions, std::string& content) {
    content = versions.back();
  };
  const auto all_names = [](std::size_t, const Disk::NameChange&) { return true; };
  if (index < kExtremes) {
    const bool names = index == 1 || index == 3;
    const bool bytes = index == 1 || index == 2;
    return build([&](std::size_t, const Disk::NameChange&) { return names; },
                 [&](std::size_t versions) { return bytes ? versions - 1 : 0; },
                 [&](ino_t, std::size_t, const std::vector<std::string>& versions, std::string& content) {
                   if (bytes) content = versions.back();
                 });
  }
  index -= kExtremes;
  if (index < 2 * dirty_.size()) {
    const Dirty& one = dirty_[index / 2];
    const bool lost = index % 2 == 0;
    return build(all_names, newest,
                 [&](ino_t file, std::size_t sector, const std::vector<std::string>& versions, std::string& content) {
                   const bool is_one = file == one.file && sector == one.sector;
                   if (is_one != lost) content = versions.back();
                 });
  }
  index -= 2 * dirty_.size();
  return build([&](std::size_t i, const Disk::NameChange&) { return i < index; }, newest, take_newest);
}

Image CrashStates::random(std::mt19937_64& random) const {
  constexpr double kLikely[] = {0.0, 0.1, 0.5, 0.9, 0.98, 1.0};
  const double names_likely = kLikely[below(random, std::size(kLikely))];
  const double bytes_likely = kLikely[below(random, std::size(kLikely))];
  const double newest_likely = chance(random, 0.5) ? 1.0 : 0.5;
  const double torn_likely = chance(random, 0.5) ? 0.0 : 0.1;
  const bool in_order = chance(random, 0.5);
  const std::size_t first = disk_.changes().empty() ? 0 : below(random, disk_.changes().size() + 1);
  std::map<ino_t, bool> stopped;  // a file's later changes of names need its earlier ones
  std::map<ino_t, double> likely;
  for (const auto& [inode, file] : disk_.files()) {
    likely[inode] = chance(random, 0.3) ? kLikely[below(random, std::size(kLikely))] : bytes_likely;
  }
  return build(
      [&](std::size_t i, const Disk::NameChange& change) {
        if (in_order) return i < first;
        bool& end = stopped[change.file];
        end = end || !chance(random, names_likely);
        return !end;
      },
      [&](std::size_t versions) { return chance(random, bytes_likely) ? versions - 1 : below(random, versions); },
      [&](ino_t file, std::size_t, const std::vector<std::string>& versions, std::string& content) {
        if (!chance(random, likely[file])) return;
        const std::string before = content;
        const std::size_t chosen = chance(random, newest_likely) ? versions.size() - 1 : below(random, versions.size());
        content = versions[chosen];
        if (!chance(random, torn_likely)) return;
        // Written back in the middle of a store: the words up to some place are newer, or older, than the rest.
        const std::string& other = chosen > 0 ? versions[chosen - 1] : before;
        const std::size_t cut = kWord * below(random, kSectorBytes / kWord);
        if (chance(random, 0.5)) {
          content.replace(0, cut, other, 0, cut);
        } else {
          content.replace(cut, std::string::npos, other, cut, std::string::npos);
        }
      });
}

}  // namespace leat::test
