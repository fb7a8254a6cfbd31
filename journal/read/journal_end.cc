#include "journal/read/journal_end.h"

#include <algorithm>

namespace leat::internal {
namespace {

using OnRecord = std::function<void(std::uint64_t, const RecordView&)>;

std::string segment_path(const JournalFiles& files, const SegmentName& name) {
  return "segment " + files.directory().file(name.to_string());
}

std::string header_of(const JournalFiles& files, const SegmentName& name) {
  return segment_path(files, name) + ", offset 0: its header";
}

// True if the header of `name` is good.
Result<bool> header_is_good(JournalFiles& files, const SegmentName& name) {
  RecordBuffer probe(kPageBytes);
  probe.restart(name.first_position);
  const auto filled = files.fill(probe, true, ~0ULL);
  if (filled == JournalFiles::Fill::failed && files.error().code != ErrorCode::corrupt) return files.error();
  return filled == JournalFiles::Fill::ok;
}

// True if `name` ends, with a record that says so, where `next` begins. One small read.
Result<bool> ends_where(JournalFiles& files, const SegmentName& name, const SegmentName& next) {
  const std::uint64_t begins = next.first_position;
  if (begins < name.first_position + kSegmentEndRecordBytes) return false;
  RecordBuffer probe(kPageBytes);
  RecordView record;
  probe.restart(begins - kSegmentEndRecordBytes);
  const auto filled = files.fill(probe, false, begins);
  if (filled == JournalFiles::Fill::failed && files.error().code != ErrorCode::corrupt) return files.error();
  return filled == JournalFiles::Fill::ok &&
         probe.next(record, files.feed_seed(), kSegmentEndRecordBytes) == RecordBuffer::Next::record &&
         record.header.type == static_cast<std::uint16_t>(RecordType::segment_end) &&
         record.header.sequence + 1 == next.first_sequence;
}

Result<std::size_t> count_linked(JournalFiles& files) {
  const std::vector<SegmentName> names = files.segments();
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto linked = i == 0 ? Result<bool>(true) : ends_where(files, names[i - 1], names[i]);
    if (linked && *linked) linked = header_is_good(files, names[i]);
    if (!linked) return linked.error();
    if (!*linked) return i;
  }
  return names.size();
}

// Looks for marks in a segment that may have lost its header. Its length tells where things lie in it.
Result<void> ask_witness(JournalFiles& files, const SegmentName& name, TailScan& scan) {
  auto opened = files.open_raw(name);
  if (!opened) return opened.error();
  if (!*opened) {
    return Error{ErrorCode::corrupt,
                 segment_path(files, name) +
                     " is not as long as it was made: somebody has cut it; events from sequence " +
                     std::to_string(name.first_sequence) + " on are affected",
                 "nothing was changed: restore the file from a backup"};
  }
  return search_marks(files, scan);
}

// P as people find it; the scan is of segment `index`, the last that belongs to the journal.
std::string place_of_break(const JournalFiles& files, const TailScan& scan, std::size_t index) {
  const auto& names = files.segments();
  if (!scan.sealed || index + 1 >= names.size()) return files.describe(scan.bad_position);
  if (scan.end_position == names[index + 1].first_position) return header_of(files, names[index + 1]);
  return segment_path(files, names[index]) +
         " is whole, but the one behind it is missing: " + names[index + 1].to_string() +
         " does not begin where it ends, so the journal";
}

// Reads segments backwards from the last linked one, until something proves that what comes before was on disk.
Result<void> read_unproven(JournalFiles& files, std::uint64_t read_from, const OnRecord& on_record, TailScan witness,
                           JournalEnd& end) {
  const std::vector<SegmentName> names = files.segments();
  for (std::size_t i = end.segments; i-- > 0;) {
    auto scan = scan_segment(files, names[i], on_record);
    if (!scan) return scan.error();
    witness.take_over(*scan);
    const bool goes_on = scan->sealed && i + 1 < end.segments && scan->end_position == names[i + 1].first_position;
    if (i + 1 == end.segments || !goes_on) {
      end.scan = *scan;
      end.segments = i + 1;
      end.bad_place = place_of_break(files, *scan, i);
    }
    const std::uint64_t begins = names[i].first_position;
    if (witness.durable_position >= begins && witness.marks > 0 && read_from >= begins) break;
  }
  end.scan.marks = 0;
  end.scan.take_over(witness);
  return {};
}

}  // namespace

Result<JournalEnd> find_journal_end(JournalFiles& files, std::uint64_t read_from, const OnRecord& on_record) {
  JournalEnd end;
  const std::vector<SegmentName> names = files.segments();
  if (names.empty()) return end;
  auto linked = count_linked(files);
  if (!linked) return linked.error();
  end.segments = *linked;
  TailScan witness;
  const FeedIdentity& identity = files.identity();
  if (identity.closed_cleanly()) witness.prove(identity.closed_position, identity.closed_sequence);
  for (std::size_t i = *linked; i < names.size(); ++i) {
    if (auto asked = ask_witness(files, names[i], witness); !asked) return asked.error();
  }
  if (*linked > 0) {
    if (auto read = read_unproven(files, read_from, on_record, witness, end); !read) return read.error();
  } else if (names[0].first_sequence == 0 || names[0].first_position % kWordBytes != 0) {
    return Error{ErrorCode::corrupt,
                 segment_path(files, names[0]) +
                     " has a name that no segment can have, and no good header under it: somebody has renamed it",
                 "nothing was changed: see what leat verify says of it, or restore the files from a backup"};
  } else {
    end.scan = witness;
    end.scan.sealed = true;
    end.scan.end_position = end.scan.bad_position = names[0].first_position;
    end.scan.end_sequence = names[0].first_sequence - 1;
    end.bad_place = header_of(files, names[0]);
  }
  end.last_affected = end.scan.durable_sequence;
  if (end.segments < names.size())
    end.last_affected = std::max(end.last_affected, names[end.segments].first_sequence - 1);
  end.scan.verdict = judge_tail(end.scan, false);
  return end;
}

Error corruption_error(const JournalEnd& end) {
  const TailScan& scan = end.scan;
  return {ErrorCode::corrupt,
          "corrupt journal: " + end.bad_place + " (position " + std::to_string(scan.bad_position) +
              ") does not hold what it should; events from sequence " + std::to_string(scan.end_sequence + 1) +
              (end.last_affected > scan.end_sequence ? " to at least " + std::to_string(end.last_affected) : "") +
              " are affected, and were reported durable up to position " + std::to_string(scan.durable_position),
          "nothing was changed: leat repair says what can be kept, or restore the file from a backup"};
}

}  // namespace leat::internal
