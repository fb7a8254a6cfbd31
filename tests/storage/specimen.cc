#include "tests/storage/specimen.h"

#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "journal/format/feed_identity.h"
#include "journal/read/journal_end.h"
#include "record/record.h"
#include "tests/storage/broker_steps.h"
#include "tests/storage/oracle.h"

namespace leat::test {

using namespace internal;

namespace {

std::string payload_of(std::uint64_t sequence) {
  std::string payload = std::to_string(sequence) + ".";
  payload.resize(20 + sequence * 37 % 300, static_cast<char>('a' + sequence % 26));
  return payload;
}

Image read_image(const std::filesystem::path& directory) {
  Image image;
  for (auto& [name, bytes] : read_files(directory)) {
    if (name != "lock" && !name.starts_with("prepared-")) image[name] = bytes;
  }
  return image;
}

void publish_all(BrokerSteps& broker, Specimen& specimen, int events) {
  while (specimen.payloads.size() < static_cast<std::size_t>(events)) {
    const std::size_t count = specimen.payloads.size() % 7 == 3 ? 3 : 1;
    std::vector<std::string> payloads;
    for (std::size_t i = 0; i < count; ++i) payloads.push_back(payload_of(specimen.payloads.size() + i + 1));
    std::vector<Event> batch;
    for (const std::string& payload : payloads) batch.push_back({.topic = "unit.rot", .key = "k", .payload = payload});
    if (broker.publish(batch)) {
      specimen.payloads.insert(specimen.payloads.end(), payloads.begin(), payloads.end());
    }
    if (specimen.payloads.size() % 5 == 0) broker.sync();
    broker.tidy();
  }
}

void look_around(Specimen& specimen, const std::filesystem::path& journal, Close close) {
  auto files = must(JournalFiles::open(journal.string()));
  specimen.segments = files.segments();
  specimen.feed_seed = files.feed_seed();
  const JournalEnd end = must(find_journal_end(files));
  specimen.first_sequence = specimen.segments.front().first_sequence;
  specimen.last_sequence = end.scan.end_sequence;
  specimen.end_position = end.scan.end_position;
  specimen.proven_sequence = close == Close::cleanly ? end.scan.end_sequence : end.scan.durable_sequence;
}

}  // namespace

Specimen make_specimen(int events, std::uint64_t segments, Close close) {
  const TempDirectory directory;
  broker::Options options = OneFeed::small_options();
  options.feed = "feed";
  options.runtime_dir = (directory.path() / "run").string();
  options.data_dir = (directory.path() / "data").string();
  options.retain_bytes = segments * kMinSegmentBytes;
  options.cursor_hold_bytes = 0;
  std::filesystem::create_directories(options.runtime_dir);
  const auto journal = directory.path() / "data" / "feed";
  Specimen specimen;
  BrokerSteps broker(options);
  must(broker.open());
  broker.sync();
  publish_all(broker, specimen, events);
  must(broker.save_cursor(kCursorName, specimen.payloads.size() - 1));
  broker.sync();
  broker.tidy();
  broker.sync();
  if (close == Close::cleanly) must(broker.close());
  specimen.image = read_image(journal);
  look_around(specimen, journal, close);
  if (specimen.last_sequence != specimen.payloads.size()) throw std::runtime_error("the specimen is not whole");
  return specimen;
}

std::vector<PlacedRecord> records_of(const Specimen& specimen) {
  std::vector<PlacedRecord> records;
  for (const SegmentName& name : specimen.segments) {
    const std::string file = name.to_string();
    const std::string& bytes = specimen.image.at(file);
    const std::uint64_t data = segment_geometry(bytes.size()).data_offset;
    std::uint64_t position = name.first_position;
    for (;;) {
      const std::uint64_t offset = data + position - name.first_position;
      RecordHeader header{};
      std::memcpy(&header, bytes.data() + offset, sizeof header);
      if (header.checksum == 0) break;
      const std::uint64_t padded = padded_record_bytes(header.length);
      records.push_back({.file = file, .offset = offset, .position = position, .bytes = padded, .type = header.type});
      position += padded;
      if (header.type == static_cast<std::uint16_t>(RecordType::segment_end)) break;
    }
  }
  return records;
}

SpecimenJournal::SpecimenJournal(const Specimen& specimen) : specimen_(specimen), damaged_(specimen.image) {
  materialize(specimen.image, path());
}

void SpecimenJournal::write(const std::string& file, std::uint64_t offset, const std::string& bytes) {
  damaged_.at(file).replace(offset, bytes.size(), bytes);
  write_at(path() / file, offset, bytes);
}

void SpecimenJournal::truncate(const std::string& file, std::uint64_t bytes) {
  damaged_.at(file).resize(bytes);
  std::filesystem::resize_file(path() / file, bytes);
}

bool SpecimenJournal::is_untouched() const { return read_files(path()) == damaged_; }

// Recovery changes nothing without leaving a file aside; so mostly one file is to be written.
void SpecimenJournal::repair() {
  Image touched;
  for (auto& [name, bytes] : damaged_) {
    const std::string& whole = specimen_.image.at(name);
    if (bytes == whole) continue;
    touched[name] = bytes = whole;
  }
  std::size_t names = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path())) ++names;
  if (names != specimen_.image.size()) return materialize(specimen_.image, path());
  for (const auto& [name, bytes] : touched) {
    std::filesystem::resize_file(path() / name, bytes.size());
    write_at(path() / name, 0, bytes);
  }
}

}  // namespace leat::test
