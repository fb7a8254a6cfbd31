// The journal is less, or another, when the broker comes back, in every way that this happens to it: a receipt of an
// event that is gone is never told to be committed or durable.
#include <filesystem>
#include <fstream>
#include <functional>

#include "journal/read/journal_files.h"
#include "journal/read/record_buffer.h"
#include "support/broker_test.h"
#include "base/whole_io.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKept = 20;
constexpr std::uint64_t kAll = 50;

// Where in its file event `sequence` of a journal of one segment lies.
std::uint64_t offset_of(const fs::path& directory, std::uint64_t sequence) {
  auto files = internal::JournalFiles::open(directory.string()).value();
  internal::RecordBuffer buffer(1 << 20);
  buffer.restart(files.segments().front().first_position);
  EXPECT_EQ(files.fill(buffer, false, ~0ULL), internal::JournalFiles::Fill::ok);
  for (;;) {
    const std::uint64_t position = buffer.position();
    internal::RecordView record;
    if (buffer.next(record, files.feed_seed(), files.data_bytes()) != internal::RecordBuffer::Next::record) break;
    if (record.header.type != static_cast<std::uint16_t>(internal::RecordType::event) ||
        record.header.sequence != sequence)
      continue;
    const auto size = fs::file_size(directory / files.segments().front().to_string());
    return internal::segment_geometry(size).data_offset + position - files.segments().front().first_position;
  }
  throw std::runtime_error("event " + std::to_string(sequence) + " is not there");
}

void overwrite(const fs::path& file, std::uint64_t offset, const std::string& bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << bytes;
}

struct Way {
  const char* name;
  const char* sync;    ///< while the events are published
  bool clean;          ///< how the broker ends
  std::uint64_t kept;  ///< events up to here are there afterwards, and their receipts may say so
  std::function<void(BrokerProcess&)> happens;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class LostReceiptsOf : public BrokerTest, public testing::WithParamInterface<Way> {
 protected:
  Receipt publish_one() {
    auto receipt = producer_->publish({.topic = "lost", .payload = "some bytes"});
    EXPECT_TRUE(receipt.ok()) << receipt.error().message;
    return receipt.ok() ? *receipt : Receipt{};
  }
  std::optional<Producer> producer_;
};

TEST_P(LostReceiptsOf, EventsThatAreGoneAreClosedAndNeverDurable) {
  const Way& way = GetParam();
  broker_->set("--sync", way.sync);
  start();
  producer_.emplace(connect_producer());
  std::vector<Receipt> receipts;
  const fs::path backup = broker_->scratch() / "backup";
  for (std::uint64_t i = 1; i <= kAll; ++i) {
    receipts.push_back(publish_one());
    // With each event that is durable comes a mark, which proves it.
    const Ack level = way.sync == std::string("none") ? Ack::committed : Ack::durable;
    ASSERT_TRUE(producer_->wait(receipts.back(), level, kPatience).ok());
    if (i == kKept) fs::copy(broker_->journal(), backup);
  }
  if (way.clean) {
    ASSERT_EQ(broker_->terminate(), 0);
  } else {
    broker_->kill9();
  }
  way.happens(*broker_);
  broker_->set("--sync", "interval");
  start();
  // Others take the numbers of those that are gone.
  for (std::uint64_t i = 0; i < 2 * kAll; ++i) {
    auto sequence = producer_->publish_and_wait({.topic = "new"}, Ack::durable, kPatience);
    // The first one may go into rings that are gone.
    if (i == 0 && !sequence) sequence = producer_->publish_and_wait({.topic = "new"}, Ack::durable, kPatience);
    ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  }
  for (const Ack level : {Ack::committed, Ack::durable}) {
    for (std::uint64_t i = 1; i <= kAll; ++i) {
      const auto told = producer_->wait(receipts[i - 1], level, kPatience);
      if (i <= way.kept) {
        ASSERT_TRUE(told.ok()) << i << ": " << told.error().message;
        EXPECT_EQ(*told, i);
        continue;
      }
      ASSERT_FALSE(told.ok()) << "event " << i << " is gone, and told to be number " << *told;
      EXPECT_EQ(told.error().code, ErrorCode::closed) << told.error().message;
    }
  }
}

constexpr auto kOver = fs::copy_options::recursive | fs::copy_options::overwrite_existing;

const Way kWays[] = {
    {"TheEndNeverReachedTheDisk", "none", false, kKept,
     [](BrokerProcess& broker) {
       overwrite(broker.segments().front(), offset_of(broker.journal(), kKept + 1), std::string(8192, '\0'));
     }},
    // Nobody can tell afterwards which receipts are of events that the repair gave up.
    {"TheJournalIsRepaired", "always", false, 0,
     [](BrokerProcess& broker) {
       overwrite(broker.segments().front(), offset_of(broker.journal(), kKept + 1) + 60, "damaged");
       ChildProcess repair({.arguments = {LEAT_TEST_LEAT, "repair", "--yes", "--journal", broker.journal().string()},
                            .environment = {},
                            .output = (broker.scratch() / "repair").string(),
                            .user = std::nullopt});
       ASSERT_EQ(repair.wait(), 0) << read_file(broker.scratch() / "repair");
     }},
    {"ABackupIsCopiedBackOverTheFiles", "always", false, kKept,
     [](BrokerProcess& broker) {
       for (const auto& entry : fs::directory_iterator(broker.journal())) fs::remove(entry.path());
       fs::copy(broker.scratch() / "backup", broker.journal(), kOver);
     }},
    {"ABackupTakesThePlaceOfTheDirectory", "always", false, kKept,
     [](BrokerProcess& broker) {
       fs::remove_all(broker.journal());
       fs::copy(broker.scratch() / "backup", broker.journal());
     }},
    {"ABackupIsCopiedBackAfterACleanStop", "always", true, kKept,
     [](BrokerProcess& broker) {
       for (const auto& entry : fs::directory_iterator(broker.journal())) fs::remove(entry.path());
       fs::copy(broker.scratch() / "backup", broker.journal(), kOver);
     }},
    {"TheJournalIsMovedAwayAndTheFeedBegunAnew", "always", false, 0,
     [](BrokerProcess& broker) { fs::rename(broker.journal(), broker.journal().string() + ".away"); }},
    {"AllSegmentsAreGoneButTheIdentity", "none", false, 0,
     [](BrokerProcess& broker) {
       for (const fs::path& segment : broker.segments()) fs::remove(segment);
     }},
    {"TheEndIsGoneAndSoIsTheBroadcastRing", "none", false, kKept,
     [](BrokerProcess& broker) {
       overwrite(broker.segments().front(), offset_of(broker.journal(), kKept + 1), std::string(8192, '\0'));
       fs::remove(broker.runtime() / "shm" / "broadcast");
     }},
    {"TheRuntimeDirectoryIsGoneToo", "none", false, 0,
     [](BrokerProcess& broker) {
       overwrite(broker.segments().front(), offset_of(broker.journal(), kKept + 1), std::string(8192, '\0'));
       fs::remove_all(broker.runtime());
     }},
};

INSTANTIATE_TEST_SUITE_P(EveryWay, LostReceiptsOf, testing::ValuesIn(kWays),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace leat::test
