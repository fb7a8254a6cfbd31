// The files `feed` and `cursors`: read whole, believed only with the right checksum. What is believed is stored again
// and must read the same.
#include <fcntl.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "journal/format/cursor_file.h"
#include "journal/format/feed_identity.h"
#include "record/record.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::fuzz {
namespace {

using namespace internal;

struct Directory {
  test::TempDirectory files;
  UniqueFd fd{::open(files.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

const Directory& directory() {
  static const Directory made;
  return made;
}

// The input, with the right checksum at its end if its first byte asks for that: no fuzzer guesses one.
void write_input(const char* name, Bytes input) {
  std::string bytes(reinterpret_cast<const char*>(input.data()), input.size());
  if (!bytes.empty() && (bytes[0] & 1) != 0) {
    bytes.erase(0, 1);
    const std::uint64_t sum = checksum_bytes(bytes.data(), bytes.size(), 0);
    bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  }
  const UniqueFd file(::openat(directory().fd.get(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  LEAT_FUZZ_CHECK(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

std::string stored(const char* name) { return test::read_file(directory().files.path() / name); }

}  // namespace

LEAT_FUZZ_TARGET(feed_identity) {
  write_input("feed", input);
  const std::string before = stored("feed");
  auto identity = load_identity({directory().fd.get(), directory().files.path().string()});
  if (!identity) return;
  LEAT_FUZZ_CHECK(!identity->epochs.empty() && identity->epochs.size() <= kMaxEpochs);
  for (const EpochEntry& epoch : identity->epochs) {
    const std::uint64_t first = epoch.first_sequence;
    for (const std::uint64_t sequence : {std::uint64_t{0}, first, first - 1, ~std::uint64_t{0}}) {
      (void)identity->check({.epoch = epoch.id, .sequence = sequence});
    }
  }
  LEAT_FUZZ_CHECK(store_identity({directory().fd.get(), directory().files.path().string()}, *identity).ok());
  LEAT_FUZZ_CHECK(stored("feed") == before);
}

LEAT_FUZZ_TARGET(cursor_file) {
  write_input("cursors", input);
  const std::string before = stored("cursors");
  FeedUuid uuid{};
  if (before.size() >= sizeof(CursorsHeader)) {
    std::memcpy(&uuid, before.data() + offsetof(CursorsHeader, feed_uuid), sizeof uuid);
  }
  auto cursors = load_cursors({directory().fd.get(), directory().files.path().string()}, uuid);
  if (!cursors) return;
  LEAT_FUZZ_CHECK(cursors->size() <= kMaxCursors);
  for (const CursorEntry& entry : *cursors) LEAT_FUZZ_CHECK(cursor_name(entry).size() <= kCursorNameBytes);
  LEAT_FUZZ_CHECK(store_cursors({directory().fd.get(), directory().files.path().string()}, uuid, *cursors).ok());
  LEAT_FUZZ_CHECK(stored("cursors") == before);
}

}  // namespace leat::fuzz
