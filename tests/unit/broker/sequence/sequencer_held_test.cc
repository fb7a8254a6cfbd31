// A journal that is written and not mapped, on a file system that has no room: the round is held, whole, and goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

Options written_options() {
  Options options = OneFeed::small_options();
  options.journal_writes = JournalWrites::written;
  return options;
}

// While it lives, every write to the descriptor fails: ENOSPC (/dev/full), or EBADF for a descriptor that only reads.
class NoRoom {
 public:
  explicit NoRoom(int fd, const char* in_place = "/dev/full", int flags = O_RDWR) : fd_(fd), real_(::dup(fd)) {
    const UniqueFd full(::open(in_place, flags));
    if (::dup2(full.get(), fd_) < 0) std::abort();
  }
  ~NoRoom() { end(); }
  void end() {
    if (real_.valid()) ::dup2(real_.get(), fd_);
    real_.reset();
  }

 private:
  int fd_;
  UniqueFd real_;
};

Event an_event(std::string_view payload) { return {.topic = "unit.test", .payload = payload}; }

void step_until_it_goes_on(OneFeed& feed) {
  for (int i = 0; i < 5000 && !feed.step(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

std::uint64_t stalls(OneFeed& feed) { return feed.counters().stalls.load(); }

TEST(SequencerHeld, KeepsARoundThatFindsNoRoomAndFinishesItWhenThereIsSome) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("before")));
  feed.drain();
  NoRoom full(feed.current_segment_fd());
  ASSERT_TRUE(producer.publish(an_event("held")));
  const std::uint64_t held = producer.last_position;
  (void)feed.step();
  ASSERT_TRUE(feed.handover->marks.push({.position = feed.ring().header().committed.load(), .sequence = 1}));
  const std::uint64_t round = feed.files->registry_header().round_position.load();
  for (int i = 0; i < 100; ++i) {
    (void)feed.step();
    feed.sequencer->write_pending_mark();
    (void)feed.sequencer->try_skip();
    (void)feed.sequencer->take_lost_tickets();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(feed.handover->state.load(), FeedState::stalled);
  EXPECT_EQ(feed.ring().header().feed_state.load(), FeedState::stalled);
  EXPECT_EQ(stalls(feed), 1u) << "one stall, however often it was tried";
  EXPECT_EQ(producer.status(held), CompletionStatus::pending);
  EXPECT_EQ(feed.journaled().size(), 1u);
  EXPECT_EQ(feed.files->registry_header().inbound_head.load(), 1u) << "its ticket is not done with";
  EXPECT_EQ(feed.files->registry_header().round_position.load(), round) << "nor is its round, after a kill now";
  ASSERT_TRUE(producer.publish(an_event("behind")));
  full.end();
  step_until_it_goes_on(feed);
  feed.drain();
  EXPECT_EQ(feed.handover->state.load(), FeedState::running);
  EXPECT_TRUE(feed.failures.empty());
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].payload, "held");
  EXPECT_EQ(events[2].payload, "behind");
  EXPECT_EQ(producer.status(held), CompletionStatus::committed);
  EXPECT_EQ(producer.value(held), 2u);
  feed.sequencer->write_pending_mark();
  const auto records = feed.journaled_records();
  ASSERT_EQ(records.size(), 4u) << "the mark had to wait, and no longer";
  EXPECT_EQ(records[1].type, static_cast<std::uint16_t>(RecordType::event));
  EXPECT_EQ(records[3].type, static_cast<std::uint16_t>(RecordType::mark));
}

TEST(SequencerHeld, IsFinishedByAStopThatFindsRoom) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  NoRoom full(feed.current_segment_fd());
  ASSERT_TRUE(producer.publish(an_event("held")));
  const std::uint64_t held = producer.last_position;
  (void)feed.step();
  EXPECT_EQ(feed.handover->state.load(), FeedState::stalled);
  full.end();
  ASSERT_TRUE(feed.sequencer->append_clean_mark().ok());
  EXPECT_EQ(producer.status(held), CompletionStatus::committed);
  EXPECT_EQ(feed.journaled().size(), 1u);
  EXPECT_EQ(feed.files->registry_header().inbound_head.load(), 1u);
}

TEST(SequencerHeld, HoldsWhatARollHasBegunAndWritesItIntoTheSegmentThatItEnds) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  feed.prepare_segments(1);
  const auto segments = [&] { return test::must(JournalFiles::open(feed.journal_path().string())).segments().size(); };
  const auto publish = [&] { return producer.publish(an_event(std::string(500, 'x'))); };
  std::size_t fits = 0;
  {  // how many events one segment holds
    OneFeed other(written_options());
    FeedProducer its = other.add_producer();
    while (its.publish(an_event(std::string(500, 'x')))) (void)other.step();
    fits = other.journaled().size();
    ASSERT_EQ(other.handover->state.load(), FeedState::stalled);
  }
  for (std::size_t i = 0; i < fits; ++i) {
    ASSERT_TRUE(publish());
    feed.drain();
  }
  ASSERT_EQ(feed.journaled().size(), fits);
  ASSERT_EQ(segments(), 1u);
  {
    const NoRoom full(feed.current_segment_fd());
    ASSERT_TRUE(publish());  // the one that makes it roll
    for (int i = 0; i < 5; ++i) (void)feed.step();
    EXPECT_EQ(segments(), 1u) << "no next segment while something of this one is not written";
    EXPECT_EQ(feed.handover->state.load(), FeedState::stalled);
  }
  for (int i = 0; i < 5000 && feed.journaled().size() <= fits; ++i) {
    (void)feed.step();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(feed.journaled().size(), fits + 1);
  EXPECT_EQ(segments(), 2u);
  EXPECT_EQ(feed.handover->state.load(), FeedState::running);
}

TEST(SequencerHeld, LeavesItsSuccessorARoundThatWasNeverWritten) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("before")));
  feed.drain();
  {
    const NoRoom full(feed.current_segment_fd());
    ASSERT_TRUE(producer.publish(an_event("held")));
    (void)feed.step();
    ASSERT_EQ(feed.handover->state.load(), FeedState::stalled);
    const auto closed = feed.sequencer->append_clean_mark();
    ASSERT_FALSE(closed.ok());
    EXPECT_EQ(closed.error().code, ErrorCode::no_space) << closed.error().message;
  }
  feed.restart();
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].payload, "held");
  EXPECT_EQ(events[1].sequence, 2u);
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
}

// The round before it left its sleepers to be woken with the next one, and that next one is held: whoever is woken
// meanwhile is still to be reported to.
TEST(SequencerHeld, IsReportedWholeAlthoughItsProducersWereWokenMeanwhile) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  const std::string payload(700, 'x');  // three of them are a round
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(producer.publish(an_event(payload)));
  ASSERT_TRUE(feed.step());
  ASSERT_EQ(feed.journaled().size(), 3u);
  {
    const NoRoom full(feed.current_segment_fd());
    (void)feed.step();
    ASSERT_EQ(feed.handover->state.load(), FeedState::stalled);
    feed.handover->held.store(true);  // as while the journal's names are away
    EXPECT_FALSE(feed.step());
    feed.handover->held.store(false);
  }
  for (int i = 0; i < 5000 && producer.status(producer.last_position) == CompletionStatus::pending; ++i) {
    (void)feed.step();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
  EXPECT_EQ(feed.slot(producer).last_producer_sequence.load(), 4u);
  feed.restart();
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 4u) << "none of them twice";
}

TEST(SequencerHeld, FailsAtAnyOtherErrorAsAMappedOneDoes) {
  OneFeed feed(written_options());
  FeedProducer producer = feed.add_producer();
  const NoRoom broken(feed.current_segment_fd(), "/dev/null", O_RDONLY);
  ASSERT_TRUE(producer.publish(an_event("lost")));
  (void)feed.step();
  EXPECT_EQ(feed.handover->state.load(), FeedState::failed);
  ASSERT_EQ(feed.failures.size(), 1u);
  EXPECT_NE(feed.failures[0].message.find(".seg"), std::string::npos) << feed.failures[0].message;
  EXPECT_FALSE(feed.step());
}

TEST(SequencerHeld, WritesTheSameBytesAsAMappedJournal) {
  OneFeed mapped;
  OneFeed written(written_options());
  for (OneFeed* feed : {&mapped, &written}) {
    FeedProducer producer = feed->add_producer();
    for (int i = 0; i < 60; ++i) {
      feed->prepare_segments(i % 10 == 0 ? 1 : 0);
      ASSERT_TRUE(producer.publish(an_event(std::string(300, static_cast<char>('a' + i % 26)))));
      feed->drain();
    }
  }
  const auto a = mapped.journaled();
  const auto b = written.journaled();
  ASSERT_EQ(a.size(), b.size());
  ASSERT_EQ(a.size(), 60u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].position, b[i].position);
    EXPECT_EQ(a[i].payload, b[i].payload);
  }
}

}  // namespace
}  // namespace leat::broker
