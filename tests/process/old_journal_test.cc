// Journals of other releases: one of the format before is read and gone on with, one of a later format is refused by
// name and left as it is.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "journal/format/cursor_file.h"
#include "journal/format/feed_identity.h"
#include "journal/format/format_version.h"
#include "journal/format/segment_layout.h"
#include "record/record.h"
#include "support/broker_test.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

std::string read_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <typename T>
T word_at(const std::string& bytes, std::size_t offset) {
  T word{};
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

template <typename T>
void put(std::string& bytes, std::size_t offset, T word) {
  std::memcpy(bytes.data() + offset, &word, sizeof word);
}

std::uint32_t version_of(const fs::path& path) { return word_at<std::uint32_t>(read_bytes(path), 8); }

/// Makes every file of the journal one of `version`, checksums and all.
void rewrite_as(const fs::path& journal, std::uint32_t version) {
  const std::string feed = read_bytes(journal / "feed");
  internal::FeedUuid uuid;
  std::memcpy(uuid.data(), feed.data() + offsetof(internal::IdentityHeader, feed_uuid), uuid.size());
  for (const fs::directory_entry& entry : fs::directory_iterator(journal)) {
    const std::string name = entry.path().filename();
    std::string bytes = read_bytes(entry.path());
    if (entry.path().extension() == ".seg") {
      put(bytes, offsetof(internal::SegmentHeader, layout_version), version);
      constexpr std::size_t kSum = offsetof(internal::SegmentHeader, checksum);
      put(bytes, kSum, internal::checksum_bytes(bytes.data(), kSum, internal::feed_checksum_seed(uuid)));
    } else if (name == "feed" || name == "cursors") {
      put(bytes, offsetof(internal::IdentityHeader, layout_version), version);
      put(bytes, bytes.size() - 8, internal::checksum_bytes(bytes.data(), bytes.size() - 8, 0));
    } else {
      continue;
    }
    const auto changed = fs::last_write_time(entry.path());
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);  // the inode stays
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    fs::last_write_time(entry.path(), changed);
  }
}

class OldJournal : public BrokerTest {
 protected:
  /// Two segments of events, and a cursor behind the third of them.
  void make_journal() {
    broker_->set("--segment-bytes", "64K");
    broker_->set("--ring-bytes", "64K");
    broker_->set("--max-event-bytes", "8K");
    start();
    Producer producer = connect_producer();
    const std::string payload(1000, 'p');
    for (int i = 0; i < kEvents; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = payload}).ok());
    ASSERT_TRUE(producer.flush(Ack::durable, kPatience).ok());
    auto consumer =
        Consumer::connect({.address = broker_->address(), .name = "c", .start = Start::earliest(), .cursor_name = "c"});
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
    for (int i = 0; i < 3; ++i) (void)take_event(*consumer);
    ASSERT_TRUE(consumer->save_cursor().ok());
    // The file is written a moment later.
    constexpr std::size_t kSequenceAt = sizeof(internal::CursorsHeader) + offsetof(internal::CursorEntry, sequence);
    while (true) {
      const std::string cursors = read_bytes(broker_->journal() / "cursors");
      if (cursors.size() > kSequenceAt + 8 && word_at<std::uint64_t>(cursors, kSequenceAt) == 3) break;
      std::this_thread::sleep_for(milliseconds(10));
    }
  }
  static constexpr int kEvents = 100;
};

TEST_F(OldJournal, OfTheFormatBeforeIsReadAndGoneOnWith) {
  make_journal();
  broker_->kill9();  // after a clean close a change of the files is noticed, and is a new epoch
  rewrite_as(broker_->journal(), 1);
  ASSERT_EQ(version_of(broker_->journal() / "feed"), 1U);
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventView event;
  for (int i = 1; i <= kEvents; ++i) {
    ASSERT_EQ(reader->next(event), Poll::event);
    EXPECT_EQ(event.sequence, static_cast<std::uint64_t>(i));
  }
  start();
  EXPECT_EQ(version_of(broker_->journal() / "feed"), internal::kJournalFormatVersion)
      << "so that an old release refuses it by name from here on";
  auto consumer = Consumer::connect({.address = broker_->address(), .name = "c", .cursor_name = "c"});
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  EXPECT_EQ(take_event(*consumer).sequence, 4U) << "its cursor is good still";
  Producer producer = connect_producer();
  const Header header[] = {{.name = "n", .value = "v"}};
  ASSERT_EQ(producer.publish_and_wait({.topic = "t", .headers = header}, Ack::durable, kPatience).value(),
            kEvents + 1U);
  EventView newest;
  do newest = take_event(*consumer);
  while (newest.sequence <= kEvents);
  EXPECT_EQ(newest.headers.find("n"), "v");
  EXPECT_EQ(consumer->stats().resets, 0U);
}

TEST_F(OldJournal, OfALaterFormatIsRefusedByNameAndLeftAsItIs) {
  make_journal();
  ASSERT_EQ(broker_->terminate(), 0);
  rewrite_as(broker_->journal(), internal::kJournalFormatVersion + 1);
  const std::string before = read_bytes(broker_->journal() / "feed");
  const std::string later = std::to_string(internal::kJournalFormatVersion + 1);
  broker_->expect_log("journal layout version");
  ASSERT_FALSE(broker_->start().ok());
  wait_for_log("journal layout version " + later);
  EXPECT_EQ(read_bytes(broker_->journal() / "feed"), before);
  auto reader = read_journal(broker_->journal());
  expect_error(reader, ErrorCode::layout_mismatch, {"journal layout version", later.c_str()});
}

}  // namespace
}  // namespace leat::test
