// Each field of each format on its own, and what a recycled segment still holds.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "journal/format/cursor_file.h"
#include "broker/log.h"
#include "journal/format/feed_identity.h"
#include "record/record.h"
#include "tests/storage/examiner.h"

namespace leat::test {
namespace {

using namespace internal;

constexpr int kEvents = 160;
constexpr std::uint64_t kSegments = 3;

struct Field {
  const char* name;
  std::size_t offset;
  std::size_t bytes;
};

#define FIELD(type, member) \
  { #type "." #member, offsetof(type, member), sizeof(type::member) }

const std::vector<Field> kSegmentHeader = {FIELD(SegmentHeader, magic),          FIELD(SegmentHeader, layout_version),
                                           FIELD(SegmentHeader, index_entries),  FIELD(SegmentHeader, feed_uuid),
                                           FIELD(SegmentHeader, first_sequence), FIELD(SegmentHeader, first_position),
                                           FIELD(SegmentHeader, data_offset),    FIELD(SegmentHeader, data_bytes),
                                           FIELD(SegmentHeader, epoch),          FIELD(SegmentHeader, created_ns),
                                           FIELD(SegmentHeader, checksum)};
const std::vector<Field> kIndexEntry = {FIELD(IndexEntry, position), FIELD(IndexEntry, sequence),
                                        FIELD(IndexEntry, timestamp_ns), FIELD(IndexEntry, checksum)};
const std::vector<Field> kRecordHeader = {FIELD(RecordHeader, checksum),
                                          FIELD(RecordHeader, length),
                                          FIELD(RecordHeader, type),
                                          FIELD(RecordHeader, flags),
                                          FIELD(RecordHeader, sequence),
                                          FIELD(RecordHeader, timestamp_ns),
                                          FIELD(RecordHeader, producer_sequence),
                                          FIELD(RecordHeader, producer_id),
                                          FIELD(RecordHeader, topic_length),
                                          FIELD(RecordHeader, key_length),
                                          FIELD(RecordHeader, message_id_length),
                                          FIELD(RecordHeader, headers_units)};
const std::vector<Field> kMarkBody = {FIELD(MarkBody, durable_position), FIELD(MarkBody, durable_sequence),
                                      FIELD(MarkBody, next_producer_id), FIELD(MarkBody, reserved)};
const std::vector<Field> kIdentity = {FIELD(IdentityHeader, magic),           FIELD(IdentityHeader, layout_version),
                                      FIELD(IdentityHeader, epoch_count),     FIELD(IdentityHeader, feed_uuid),
                                      FIELD(IdentityHeader, directory_inode), FIELD(IdentityHeader, closed_position),
                                      FIELD(IdentityHeader, closed_sequence), FIELD(IdentityHeader, closed_change_ns)};
const std::vector<Field> kEpoch = {FIELD(EpochEntry, id), FIELD(EpochEntry, first_sequence),
                                   FIELD(EpochEntry, first_position)};
const std::vector<Field> kCursors = {FIELD(CursorsHeader, magic), FIELD(CursorsHeader, layout_version),
                                     FIELD(CursorsHeader, count), FIELD(CursorsHeader, feed_uuid)};
const std::vector<Field> kCursor = {FIELD(CursorEntry, name),     FIELD(CursorEntry, epoch),
                                    FIELD(CursorEntry, sequence), FIELD(CursorEntry, saved_ns),
                                    FIELD(CursorEntry, uid),      FIELD(CursorEntry, reserved)};
const std::vector<Field> kChecksum = {{"checksum", 0, 8}};
#undef FIELD

// Where a structure stands in a file, and what makes its checksum good again.
struct Place {
  std::string file;
  std::uint64_t offset = 0;
  const std::vector<Field>* fields = nullptr;
  std::function<void(std::string& bytes)> reseal;
};

void put_checksum(std::string& bytes, std::uint64_t at, std::uint64_t checksum) {
  std::memcpy(bytes.data() + at, &checksum, sizeof checksum);
}

void add_small_file(std::vector<Place>& places, const Specimen& specimen, const std::string& file,
                    const std::vector<Field>& header, std::size_t header_bytes, const std::vector<Field>& entry) {
  const auto reseal = [](std::string& bytes) {
    put_checksum(bytes, bytes.size() - 8, checksum_bytes(bytes.data(), bytes.size() - 8, 0));
  };
  places.push_back({file, 0, &header, reseal});
  places.push_back({file, header_bytes, &entry, reseal});
  places.push_back({file, specimen.image.at(file).size() - 8, &kChecksum, reseal});
}

std::vector<Place> places_of(const Specimen& specimen) {
  std::vector<Place> places;
  const std::uint64_t seed = specimen.feed_seed;
  for (const SegmentName& name : specimen.segments) {
    places.push_back({name.to_string(), 0, &kSegmentHeader, [seed](std::string& bytes) {
                        put_checksum(bytes, offsetof(SegmentHeader, checksum), checksum_bytes(bytes.data(), 80, seed));
                      }});
    places.push_back({name.to_string(), kSegmentHeaderBytes, &kIndexEntry, [seed](std::string& bytes) {
                        put_checksum(bytes, kSegmentHeaderBytes + 24,
                                     checksum_bytes(bytes.data() + kSegmentHeaderBytes, 24, seed));
                      }});
  }
  for (const PlacedRecord& record : records_of(specimen)) {
    const auto reseal = [seed, record](std::string& bytes) {
      RecordHeader header{};
      std::memcpy(&header, bytes.data() + record.offset, sizeof header);
      if (header.length < kRecordHeaderBytes || record.offset + header.length > bytes.size()) return;
      put_checksum(bytes, record.offset,
                   record_checksum(bytes.data() + record.offset, header.length, seed, record.position));
    };
    places.push_back({record.file, record.offset, &kRecordHeader, reseal});
    if (record.type == static_cast<std::uint16_t>(RecordType::mark)) {
      places.push_back({record.file, record.offset + kRecordHeaderBytes, &kMarkBody, reseal});
    }
  }
  add_small_file(places, specimen, std::string(kIdentityFileName), kIdentity, sizeof(IdentityHeader), kEpoch);
  add_small_file(places, specimen, std::string(kCursorsFileName), kCursors, sizeof(CursorsHeader), kCursor);
  return places;
}

// Other contents of a field: none, all bits the other way, one more, one less, anything.
std::vector<std::string> other_contents(const std::string& old, std::mt19937_64& random) {
  std::vector<std::string> contents(5, old);
  contents[0].assign(old.size(), '\0');
  for (char& byte : contents[1]) byte = static_cast<char>(~byte);
  ++contents[2][0];
  --contents[3][0];
  for (char& byte : contents[4]) byte = static_cast<char>(random());
  std::erase(contents, old);
  return contents;
}

class BitRotOfFields : public ::testing::TestWithParam<Close> {
 protected:
  BitRotOfFields() { broker::Log::set_level("off"); }

  template <typename Damage>
  void for_each_field(Damage&& damage) {
    for (const Place& place : places_of(specimen_)) {
      for (const Field& field : *place.fields) {
        const std::uint64_t at = place.offset + field.offset;
        for (const std::string& content :
             other_contents(specimen_.image.at(place.file).substr(at, field.bytes), random_)) {
          damage(place, field, at, content);
        }
      }
    }
  }

  std::mt19937_64 random_{test_seed()};
  Outcomes outcomes_;
  Specimen specimen_ = make_specimen(kEvents, kSegments, GetParam());
  Examiner examiner_{specimen_, outcomes_};
};

TEST_P(BitRotOfFields, EachOnItsOwnIsHarmlessOrTold) {
  for_each_field([&](const Place& place, const Field& field, std::uint64_t at, const std::string& content) {
    examiner_.journal().write(place.file, at, content);
    examiner_.examine(place.file, place.file + ", offset " + std::to_string(at) + ": " + field.name);
  });
  outcomes_.print("fields of every structure");
  EXPECT_GT(outcomes_.reader_told, 0u);
}

// What no disk does, but a hand can: contradictions under good checksums.
TEST_P(BitRotOfFields, UnderAGoodChecksumCrashNobody) {
  for_each_field([&](const Place& place, const Field&, std::uint64_t at, const std::string& content) {
    std::string bytes = specimen_.image.at(place.file);
    bytes.replace(at, content.size(), content);
    place.reseal(bytes);
    examiner_.journal().write(place.file, 0, bytes);
    examiner_.survive();
  });
  outcomes_.print("fields under good checksums");
}

INSTANTIATE_TEST_SUITE_P(Journals, BitRotOfFields, ::testing::Values(Close::no, Close::cleanly),
                         [](const auto& of) { return of.param == Close::cleanly ? "ClosedCleanly" : "NotClosed"; });

// A recycled segment holds old records of the same feed behind its end. Wherever the new ones stop, and whatever part
// of the old ones would come to stand there, none of them passes.
TEST(StaleBytes, OfARecycledSegmentNeverPassForRecords) {
  broker::Log::set_level("off");
  const Specimen specimen = make_specimen(kEvents, kSegments, Close::no);
  Outcomes outcomes;
  Examiner examiner(specimen, outcomes);
  const SegmentName last = specimen.segments.back();
  const std::string file = last.to_string();
  const std::string& bytes = specimen.image.at(file);
  const std::uint64_t end = segment_geometry(bytes.size()).data_offset + specimen.end_position - last.first_position;
  ASSERT_NE(bytes.find_first_not_of('\0', end), std::string::npos) << "the last segment was used before";
  // Each record that is still in the journal, and each place behind the end that is not zero, moved to the end.
  for (const PlacedRecord& record : records_of(specimen)) {
    if (end + record.bytes > bytes.size()) continue;
    examiner.journal().write(file, end, specimen.image.at(record.file).substr(record.offset, record.bytes));
    examiner.examine(file, "the record of position " + std::to_string(record.position) + " behind the end");
  }
  for (std::uint64_t at = end + kWordBytes; at < bytes.size(); at += kWordBytes) {
    if (bytes.compare(at, kWordBytes, std::string(kWordBytes, '\0')) == 0) continue;
    examiner.journal().write(file, end, bytes.substr(at, std::min<std::uint64_t>(1024, bytes.size() - at)));
    examiner.examine(file, "the bytes at offset " + std::to_string(at) + " behind the end");
  }
  outcomes.print("stale bytes behind the end");
  EXPECT_EQ(outcomes.reader_told, 0u);
  EXPECT_EQ(outcomes.recovery_refused, 0u);
}

// The terminator lost: what an older file held at the same offsets.
TEST(StaleBytes, OfAnotherSegmentAtTheSameOffsetsNeverPassForRecords) {
  broker::Log::set_level("off");
  const Specimen specimen = make_specimen(kEvents, kSegments, Close::no);
  Outcomes outcomes;
  Examiner examiner(specimen, outcomes);
  const SegmentName last = specimen.segments.back();
  const std::string file = last.to_string();
  const std::uint64_t end =
      segment_geometry(kMinSegmentBytes).data_offset + specimen.end_position - last.first_position;
  for (const SegmentName& other : specimen.segments) {
    for (std::uint64_t from = end; from < kMinSegmentBytes; from += kWordBytes) {
      const std::string old = specimen.image.at(other.to_string()).substr(from, kMinSegmentBytes - from);
      if (old.find_first_not_of('\0') == std::string::npos) break;
      examiner.journal().write(file, from, old);
      examiner.examine(file, "segment " + other.to_string() + " from offset " + std::to_string(from) + " on");
    }
  }
  outcomes.print("another segment's bytes behind the end");
  EXPECT_EQ(outcomes.reader_told, 0u);
}

}  // namespace
}  // namespace leat::test
