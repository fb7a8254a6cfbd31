// What a ring says is retained, looked at while the syncer stores it.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <new>

#include "client-lib/read/window.h"
#include "shm/broadcast/broadcast_ring.h"
#include "tests/unit/fixtures/journal_maker.h"

namespace leat {
namespace {

class RetainedWindow : public ::testing::Test {
 protected:
  RetainedWindow() {
    journal.events(200, 400);
    header().max_record_bytes = 4096;
  }
  internal::BroadcastHeader& header() { return *reinterpret_cast<internal::BroadcastHeader*>(ring.get()); }
  client::Window look() {
    auto files = journal.files();
    return look(files);
  }
  client::Window look(internal::JournalFiles& files) {
    return client::window_of(internal::BroadcastReader(ring.get(), internal::kMinRingBytes), files);
  }
  void store(std::uint64_t sequence, std::uint64_t position) {
    header().earliest_sequence.store(sequence, std::memory_order_relaxed);
    header().earliest_position.store(position, std::memory_order_relaxed);
  }
  void expect(const client::Window& window, const internal::SegmentName& name) {
    EXPECT_EQ(window.earliest_position, name.first_position);
    EXPECT_EQ(window.earliest_sequence, name.first_sequence);
  }

  struct Free {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{internal::kPageBytes}); }
  };
  test::JournalMaker journal;
  std::unique_ptr<std::byte[], Free> ring{new (std::align_val_t{internal::kPageBytes})
                                              std::byte[2 * internal::kPageBytes]()};
};

TEST_F(RetainedWindow, IsOfOneSegmentAlsoBetweenTheSyncersTwoStores) {
  const auto& names = journal.segments();
  ASSERT_GT(names.size(), 3u);
  store(names[1].first_sequence, names[1].first_position);
  expect(look(), names[1]);
  store(names[2].first_sequence,
        names[1].first_position);  // the sequence of the next one is stored, its position not yet
  expect(look(), names[1]);
}

TEST_F(RetainedWindow, BeginsWithTheOldestFileWhateverTheRingSays) {
  const auto names = journal.segments();
  store(names[0].first_sequence, names[0].first_position);
  std::filesystem::remove(journal.path() / names[0].to_string());
  expect(look(), names[1]);
}

TEST_F(RetainedWindow, IsLookedUpInAFreshListing) {
  auto files = journal.files();
  const auto last = files.segments().back();
  while (journal.segments().back() == last) journal.event(400);
  const auto newest = journal.segments().back();
  store(newest.first_sequence, newest.first_position);
  expect(look(files), newest);
}

TEST_F(RetainedWindow, OfAFeedWithoutSegmentsIsWhatTheRingSays) {
  test::JournalMaker empty;
  for (const auto& name : empty.segments()) std::filesystem::remove(empty.path() / name.to_string());
  auto files = empty.files();
  store(1, 0);
  const client::Window window = look(files);
  EXPECT_EQ(window.earliest_position, 0u);
  EXPECT_EQ(window.earliest_sequence, 1u);
}

}  // namespace
}  // namespace leat
