// Names of a journal that vanish, change, come back while the syncer works.
#include "broker/storage/journal_names.h"

#include <sys/file.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/broker/storage/syncer_fixture.h"
#include "tests/unit/fixtures/log_capture.h"

namespace leat::broker {
namespace {

using namespace internal;
namespace fs = std::filesystem;

class JournalNamesTest : public SyncerTest {
 protected:
  void begin(int segments) {
    options.sync_interval_ms = 0;
    make_segments(segments);
    lock = UniqueFd(::openat(journal.fd(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
    syncer = make_syncer();
    syncer->watch_names(journal.identity(), lock.get());
    syncer->begin(journal.segments(), open_current());
    commit();
    (void)syncer->step();
    ASSERT_EQ(durable_sequence.load(), sequence);
  }
  std::unique_ptr<Syncer> make_syncer() {
    return std::make_unique<Syncer>(options, journal.directory(), handover, journal.pool(), cursors, header(),
                                    kSyncerRingBytes, doorbell(), counters(),
                                    SyncerHooks{.durable_advanced = [this](std::uint64_t s) { durable_sequence = s; },
                                                .wake_sequencer = [this] { ++sequencer_wakes; },
                                                .failed =
                                                    [this](const Error& error) {
                                                      ++failures;
                                                      failure = error.message;
                                                    },
                                                .held = [this](bool is) { held = is; }});
  }
  void commit() {
    ++sequence;
    ring.commit(8 * sequence, sequence);
  }
  template <typename Condition>
  void step_until(Condition condition) {  // what never comes, the watchdog ends
    while (!condition()) {
      (void)syncer->step();
      MarkRequest mark{};
      while (handover.marks.pop(mark)) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  // So long that it has looked twice.
  void step_a_while() {
    const std::int64_t until = monotonic_ns() + 1200 * kNanosPerMilli;
    step_until([&] { return monotonic_ns() > until; });
  }
  fs::path segment(std::size_t i) const { return journal.path() / journal.segments()[i].to_string(); }

  test::LogCapture log;
  UniqueFd lock;
  std::unique_ptr<Syncer> syncer;
  std::uint64_t sequence = 0;
  std::string failure;
  bool held = false;
};

TEST_F(JournalNamesTest, ThatAreAllThereAreNoNews) {
  begin(4);
  test::must(cursors.save("c", 1, {.epoch = 1, .sequence = 5}));
  step_a_while();
  step_a_while();
  EXPECT_EQ(log.text(), "");
  EXPECT_FALSE(held);
  EXPECT_EQ(failures.load(), 0);
}

TEST_F(JournalNamesTest, ADirectoryThatIsRenamedHoldsTheFeedUntilItIsBack) {
  begin(3);
  const fs::path elsewhere = journal.path().string() + ".x";
  for (const bool with_another_in_its_place : {false, true}) {
    fs::rename(journal.path(), elsewhere);
    if (with_another_in_its_place) fs::create_directory(journal.path());
    step_until([&] { return held; });
    EXPECT_TRUE(handover.held.load());
    const std::uint64_t before = durable_sequence.load();
    commit();
    step_a_while();
    EXPECT_EQ(durable_sequence.load(), before) << "nothing is said to be durable";
    if (with_another_in_its_place) fs::remove_all(journal.path());
    fs::rename(elsewhere, journal.path());
    const int wakes = sequencer_wakes.load();
    step_until([&] { return !held; });
    EXPECT_GT(sequencer_wakes.load(), wakes);
    step_until([&] { return durable_sequence.load() == sequence; });
  }
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(log.count("was moved or renamed: move it back"), 1) << log.text();
  EXPECT_EQ(log.count("is another directory than the one that the feed is written to"), 1) << log.text();
  EXPECT_EQ(log.count("the journal's names are there again"), 2) << log.text();
}

TEST_F(JournalNamesTest, ADirectoryThatIsRemovedEndsTheFeedAndNothingIsSaidToBeDurable) {
  begin(3);
  const std::uint64_t before = durable_sequence.load();
  fs::remove_all(journal.path());
  commit();
  (void)syncer->step();  // at once, not with the next look
  EXPECT_EQ(failures.load(), 1);
  EXPECT_NE(failure.find("was removed while the feed was served"), std::string::npos) << failure;
  step_a_while();
  EXPECT_EQ(durable_sequence.load(), before);
  EXPECT_EQ(handover.state.load(), FeedState::failed);
  EXPECT_EQ(failures.load(), 1);
  syncer->finish();
  EXPECT_EQ(durable_sequence.load(), before);
}

TEST_F(JournalNamesTest, AnIdleFeedNoticesARemovedDirectoryToo) {
  begin(3);
  fs::remove_all(journal.path());
  step_until([&] { return failures.load() == 1; });
  EXPECT_NE(failure.find("the journal directory " + journal.path().string() + " was removed"), std::string::npos)
      << failure;
}

TEST_F(JournalNamesTest, TheCurrentSegmentRemovedEndsTheFeedRenamedHoldsIt) {
  begin(3);
  fs::rename(segment(2), journal.path() / "aside");
  step_until([&] { return held; });
  fs::rename(journal.path() / "aside", segment(2));
  step_until([&] { return !held; });
  EXPECT_EQ(failures.load(), 0);
  fs::copy_file(segment(2), journal.path() / "copy");
  fs::rename(segment(2), journal.path() / "aside");
  fs::rename(journal.path() / "copy", segment(2));
  step_until([&] { return held; });
  EXPECT_TRUE(log.says("is another file than the segment that the feed is written to")) << log.text();
  fs::rename(journal.path() / "aside", segment(2));
  step_until([&] { return !held; });
  fs::remove(segment(2));
  const std::uint64_t before = durable_sequence.load();
  commit();
  (void)syncer->step();
  EXPECT_EQ(failures.load(), 1);
  EXPECT_EQ(durable_sequence.load(), before);
}

TEST_F(JournalNamesTest, ASegmentInTheMiddleHoldsTheFeedUntilItIsBack) {
  begin(5);
  fs::rename(segment(2), journal.path() / "aside");
  step_until([&] { return held; });
  EXPECT_TRUE(log.says(journal.segments()[2].to_string() + " was removed or renamed")) << log.text();
  EXPECT_EQ(header().earliest_sequence.load(), 0u) << "what is before it is not hidden";
  fs::rename(journal.path() / "aside", segment(2));
  step_until([&] { return !held; });
  EXPECT_EQ(counters().lost_segments.load(), 0u);
}

TEST_F(JournalNamesTest, TheOldestSegmentsRemovedAreAsGoodAsPruned) {
  begin(5);
  fs::remove(segment(0));
  fs::remove(segment(1));
  step_until([&] { return counters().lost_segments.load() == 2; });
  EXPECT_EQ(header().earliest_sequence.load(), journal.segments()[2].first_sequence);
  EXPECT_EQ(header().earliest_position.load(), journal.segments()[2].first_position);
  EXPECT_EQ(counters().segments.load(), 3u);
  EXPECT_EQ(counters().journal_bytes.load(), 3 * test::kTinySegment);
  EXPECT_TRUE(log.says("2 of the journal's oldest segments")) << log.text();
  EXPECT_TRUE(log.says("events 1 to 20 are gone")) << log.text();
  step_a_while();
  EXPECT_EQ(counters().segments.load(), 3u) << "once";
  commit();
  step_until([&] { return durable_sequence.load() == sequence; });
  EXPECT_FALSE(held);
}

TEST_F(JournalNamesTest, AReplacedSegmentIsHeldAgainstWhatItSays) {
  begin(4);
  fs::copy_file(segment(1), journal.path() / "copy");
  fs::rename(journal.path() / "copy", segment(1));  // as a restore from a backup does
  step_until([&] { return log.says("was replaced by another file of that name"); });
  step_a_while();
  EXPECT_FALSE(held);
  EXPECT_EQ(log.count("was replaced by another file of that name"), 1) << log.text();
  std::ofstream(journal.path() / "copy") << "something else";
  fs::rename(segment(1), journal.path() / "aside");
  fs::rename(journal.path() / "copy", segment(1));
  step_until([&] { return held; });
  EXPECT_TRUE(log.says("by a file that is none of this feed")) << log.text();
  fs::rename(journal.path() / "aside", segment(1));
  step_until([&] { return !held; });
}

TEST_F(JournalNamesTest, TheIdentityAndTheCursorsAreWrittenAgain) {
  begin(2);
  test::must(cursors.save("c", 1, {.epoch = 1, .sequence = 5}));
  test::must(cursors.flush());
  const auto identity_is_there = [&] {
    const auto stored = load_identity(journal.directory());
    return stored.ok() && *stored == journal.identity();
  };
  const auto cursors_are_there = [&] {
    const auto stored = load_cursors(journal.directory(), {});
    return stored.ok() && stored->size() == 1;
  };
  step_a_while();
  for (const char* how : {"removed", "replaced", "written over"}) {
    SCOPED_TRACE(how);
    for (const char* name : {"feed", "cursors"}) {
      const fs::path file = journal.path() / name;
      if (how == std::string("removed")) fs::remove(file);
      if (how == std::string("replaced")) {
        std::ofstream(journal.path() / "new") << "of another feed";
        fs::rename(journal.path() / "new", file);
      }
      if (how == std::string("written over")) std::ofstream(file) << "of another feed";
    }
    step_until([&] { return identity_is_there() && cursors_are_there(); });
  }
  EXPECT_EQ(log.count("feed was removed while the feed was served: it was written again"), 1) << log.text();
  EXPECT_EQ(log.count("feed was changed while the feed was served: it was written again"), 2) << log.text();
  EXPECT_EQ(log.count("cursors was removed while the feed was served: it is written again"), 1) << log.text();
  EXPECT_EQ(log.count("cursors was changed while the feed was served: it is written again"), 2) << log.text();
  EXPECT_FALSE(held);
}

TEST_F(JournalNamesTest, ALockThatIsRemovedIsTakenAgainOrTheFeedEnds) {
  begin(2);
  fs::remove(journal.path() / "lock");
  step_until([&] { return log.says("it was made and taken again"); });
  {
    const UniqueFd other(::openat(journal.fd(), "lock", O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(other.valid());
    EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0) << "another broker is kept out";
  }
  step_a_while();
  EXPECT_EQ(log.count("it was made and taken again"), 1);
  EXPECT_EQ(failures.load(), 0);
  fs::remove(journal.path() / "lock");
  const UniqueFd other(::openat(journal.fd(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  step_until([&] { return failures.load() == 1; });
  EXPECT_NE(failure.find("another leatd has taken the journal since"), std::string::npos) << failure;
}

// What was made ahead of need lies about longest, and goes first when somebody cleans by age.
TEST_F(JournalNamesTest, RecycledSegmentsThatAreRemovedAreMadeAnew) {
  begin(3);
  step_until([&] { return handover.prepared.read_available() > 0; });
  MappedSegment* prepared = nullptr;
  while (handover.prepared.pop(prepared)) delete prepared;
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  for (const auto& entry : fs::directory_iterator(journal.path())) {
    if (entry.path().filename().string().starts_with("prepared-")) fs::remove(entry.path());
  }
  step_until([&] { return handover.prepared.read_available() > 0; });
  EXPECT_FALSE(log.says("no segment ahead of need")) << log.text();
}

}  // namespace
}  // namespace leat::broker
