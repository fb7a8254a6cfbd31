// Segments as a bad disk, or a bad copy, leaves them: headers, index entries and records changed in any way. Reading,
// searching and recovering them must never give a record that was not written there, and never skip one in silence.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <leat/journal.h>

#include "broker/storage/recovery.h"
#include "broker/log.h"
#include "journal/read/locate.h"
#include "journal/read/tail_scan.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/journal_maker.h"

namespace leat::fuzz {
namespace {

using namespace internal;
namespace fs = std::filesystem;

// One journal for all inputs, put back after each: three segments, batches, marks, a torn end.
struct Original {
  Original() {
    broker::Log::set_level("off");
    journal.events(30);
    journal.mark_all();
    journal.batch(4);
    for (int i = 0; i < 3; ++i) journal.events(40, 100 + 150 * static_cast<std::size_t>(i));
    journal.mark_all();
    journal.batch(3);
    journal.events(5);
    files = test::read_files(journal.path());
    for (const test::WrittenEvent& event : journal.written()) by_sequence[event.sequence] = event;
  }
  // Only what an input, or recovery, may have changed is written again.
  void restore(bool recovered) {
    const test::FileSet now = recovered ? test::read_files(journal.path()) : test::FileSet{};
    for (const auto& entry : fs::directory_iterator(journal.path())) {
      if (!files.contains(entry.path().filename().string())) fs::remove(entry.path());
    }
    if (recovered) {  // it may have cut any, or set any aside
      for (const auto& [name, bytes] : files) {
        if (const auto found = now.find(name); found == now.end() || found->second != bytes) spoiled.insert(name);
      }
    }
    for (const auto& name : std::exchange(spoiled, {})) {
      const std::string& bytes = files.at(name);
      {
        const UniqueFd file(::open((journal.path() / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        LEAT_FUZZ_CHECK(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
      }
    }
  }

  test::JournalMaker journal;
  test::FileSet files;
  std::set<std::string> spoiled;
  std::map<std::uint64_t, test::WrittenEvent> by_sequence;
};

Original& original() {
  static Original made;
  return made;
}

// A segment, by number, and changes to it: bytes overwritten, copied from elsewhere, or the file cut.
void spoil(Reader& reader) {
  Original& o = original();
  const auto& segments = o.journal.segments();
  for (int changes = 0; changes < 6 && !reader.done(); ++changes) {
    const std::string name = segments[reader.below(segments.size())].to_string();
    const fs::path path = o.journal.path() / name;
    std::error_code gone;
    const std::uint64_t size = fs::file_size(path, gone);
    if (gone || size == 0) continue;
    o.spoiled.insert(name);
    // A third of the changes go to the header and the index, which are small.
    const std::uint64_t offset = reader.below(3) == 0 ? reader.below(8192) : reader.below(65536);
    switch (reader.below(8)) {
      case 0: fs::resize_file(path, offset % size); break;
      case 1: {  // a good record at the wrong place
        const std::string& from = o.files.at(segments[reader.below(segments.size())].to_string());
        const std::uint64_t at = reader.below(65536) % from.size() / kWordBytes * kWordBytes;
        const std::string bytes = from.substr(at, 8 * (1 + reader.below(64)));
        test::write_at(path, offset % size / kWordBytes * kWordBytes, bytes);
        break;
      }
      case 2: test::write_at(path, offset % size, std::string(1 + reader.below(512), '\0')); break;
      case 3:
        fs::rename(path, o.journal.path() / SegmentName{reader.odd_number(), reader.odd_number()}.to_string());
        break;
      default: {
        const Bytes bytes = reader.bytes(1 + reader.below(16));
        test::write_at(path, offset % size, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
    }
  }
}

void check_event(const RecordHeader& header, std::uint64_t position) {
  if (header.type != static_cast<std::uint16_t>(RecordType::event)) return;
  const auto found = original().by_sequence.find(header.sequence);
  LEAT_FUZZ_CHECK(found != original().by_sequence.end());
  LEAT_FUZZ_CHECK(found->second.position == position && found->second.timestamp_ns == header.timestamp_ns);
  LEAT_FUZZ_CHECK(found->second.producer_sequence == header.producer_sequence);
}

// What a reader of the directory gets: the events that were written, in order, without a hole; or an error.
void read_all(const fs::path& directory) {
  auto reader = read_journal(directory);
  if (!reader) return;
  EventView event;
  std::uint64_t last = 0;
  Poll found{};
  for (int polls = 0; polls < 1000 && (found = reader->next(event)) == Poll::event; ++polls) {
    LEAT_FUZZ_CHECK(last == 0 || event.sequence == last + 1);
    last = event.sequence;
    LEAT_FUZZ_CHECK(original().by_sequence.contains(last));
    LEAT_FUZZ_CHECK(event.key == "k" + std::to_string(last));
  }
}

void search(JournalFiles& files, Reader& reader) {
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t sequence = reader.below(256);
    const auto located = locate_sequence(files, sequence, ~0ULL);
    if (located && located->found) {
      LEAT_FUZZ_CHECK(located->sequence >= sequence);
      LEAT_FUZZ_CHECK(original().by_sequence.at(located->sequence).position == located->position);
    }
    const auto time = static_cast<std::int64_t>(reader.below(4096));
    const auto by_time = locate_time(files, time, ~0ULL);
    if (by_time && by_time->found) {
      LEAT_FUZZ_CHECK(original().by_sequence.at(by_time->sequence).timestamp_ns >= time);
    }
  }
  for (const SegmentName& name : files.segments()) {
    if (const auto index = files.read_index(name)) {
      for (const IndexEntry& entry : *index) LEAT_FUZZ_CHECK(index_entry_is_valid(entry, files.feed_seed()));
    }
  }
}

}  // namespace

LEAT_FUZZ_TARGET(journal_read) {
  Reader reader(input);
  const std::uint64_t searched = reader.take<std::uint32_t>();
  spoil(reader);
  const fs::path& directory = original().journal.path();
  read_all(directory);
  if (auto files = JournalFiles::open(directory.string())) {
    Reader numbers(Bytes(reinterpret_cast<const std::uint8_t*>(&searched), sizeof searched));
    search(*files, numbers);
    const auto names = files->segments();
    for (const std::uint64_t which : {names.size() - 1, searched % std::max<std::size_t>(1, names.size())}) {
      if (which >= names.size()) break;
      (void)scan_segment(*files, names[which], [](std::uint64_t position, const RecordView& record) {
        check_event(record.header, position);
      }).ok();
    }
  }
  original().restore(false);
}

LEAT_FUZZ_TARGET(journal_recovery) {
  Reader reader(input);
  const broker::LastIncarnation last{.known = (reader.byte() & 1) != 0,
                                     .committed = reader.below(65536),
                                     .round_position = reader.below(65536),
                                     .failed = false};
  spoil(reader);
  const fs::path& directory = original().journal.path();
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto recovered = broker::recover_journal({fd.get(), directory.string()}, last);
  if (recovered) {
    // What it goes on from is the end of an event that was written, or the begin of all.
    const auto event = original().by_sequence.find(recovered->end_sequence);
    LEAT_FUZZ_CHECK(recovered->end_sequence == 0 || event != original().by_sequence.end());
    for (const auto& [producer, events] : recovered->tail) {
      for (const auto& [producer_sequence, sequence] : events) {
        LEAT_FUZZ_CHECK(original().by_sequence.at(sequence).producer_sequence == producer_sequence);
      }
    }
    // A second start finds the same.
    const auto again = broker::recover_journal({fd.get(), directory.string()}, {});
    LEAT_FUZZ_CHECK(again.ok());
    LEAT_FUZZ_CHECK(again->end_position == recovered->end_position && again->end_sequence == recovered->end_sequence);
    read_all(directory);
  }
  original().restore(true);
}

}  // namespace leat::fuzz
