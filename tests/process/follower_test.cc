// A journal directory that is renamed, removed, replaced or restored under a follower: noticed within seconds, and
// either gone on with or told.
#include <filesystem>
#include <thread>

#include <leat/journal.h>

#include "process/load.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class Followers : public LoadTest {
 protected:
  void publish(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
    }
  }
  void stop() { ASSERT_EQ(broker_->terminate(), 0); }
  // A reader of the journal, and a consumer without a broker, each at the end of `count` events, `before` of which are
  // there.
  void follow(std::uint64_t count, std::uint64_t before = 0) {
    start();
    publish(count - before);
    stop();
    auto opened = read_journal(broker_->journal());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    reader_ = std::make_unique<JournalReader>(std::move(*opened));
    offline_ = std::make_unique<Consumer>(connect_consumer());
    for (std::uint64_t i = 1; i <= count; ++i) {
      EventView event;
      ASSERT_EQ(reader_->next(event), Poll::event);
      ASSERT_EQ(take_event(*offline_).sequence, i);
    }
    EventView event;
    ASSERT_EQ(reader_->next(event), Poll::empty);
  }
  [[nodiscard]] fs::path journal() const { return broker_->journal(); }
  [[nodiscard]] fs::path moved() const { return journal().string() + ".moved"; }

  Poll next_of_reader(EventView& event) {
    for (int i = 0; i < 6000; ++i) {
      if (const Poll found = reader_->next(event); found != Poll::empty) return found;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return Poll::empty;
  }
  Poll next_of_consumer(EventView& event) { return offline_->wait(event, kPatience); }

  void expect_both_reset(Reset::Reason reason) {
    EventView event;
    ASSERT_EQ(next_of_reader(event), Poll::reset) << reader_->last_error().message;
    EXPECT_EQ(to_string(reader_->last_reset().reason), to_string(reason));
    ASSERT_EQ(next_of_consumer(event), Poll::reset) << offline_->last_error().message;
    EXPECT_EQ(to_string(offline_->last_reset().reason), to_string(reason));
  }
  void expect_both_told(const char* part) {
    EventView event;
    ASSERT_EQ(next_of_reader(event), Poll::error);
    EXPECT_NE(reader_->last_error().message.find(part), std::string::npos) << reader_->last_error().message;
    ASSERT_EQ(next_of_consumer(event), Poll::error);
    EXPECT_NE(offline_->last_error().message.find(part), std::string::npos) << offline_->last_error().message;
  }
  void expect_both_read(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) {
      EventView event;
      ASSERT_EQ(next_of_reader(event), Poll::event) << reader_->last_error().message;
      ASSERT_EQ(event.sequence, i);
      ASSERT_EQ(next_of_consumer(event), Poll::event) << offline_->last_error().message;
      ASSERT_EQ(event.sequence, i);
    }
  }

  std::unique_ptr<JournalReader> reader_;
  std::unique_ptr<Consumer> offline_;
};

TEST_F(Followers, GoOnWithTheFeedThatIsBegunAnewAfterTheJournalWasMovedAway) {
  follow(3);
  fs::rename(journal(), moved());
  start();
  publish(2);
  expect_both_reset(Reset::Reason::unknown_epoch);
  expect_both_read(1, 2);
}

TEST_F(Followers, GoOnWithTheFeedThatIsBegunAnewAfterTheJournalWasRemoved) {
  follow(3);
  fs::remove_all(journal());
  start();
  publish(2);
  expect_both_reset(Reset::Reason::unknown_epoch);
  expect_both_read(1, 2);
}

TEST_F(Followers, AreToldOfAJournalThatIsGone) {
  follow(3);
  fs::rename(journal(), moved());
  expect_both_told("was removed or renamed");
  expect_both_told("was removed or renamed");  // for as long as it is so
  fs::rename(moved(), journal());
  start();
  publish(1);
  EventView event;
  Poll found{};
  while ((found = next_of_reader(event)) == Poll::error) {
  }
  ASSERT_EQ(found, Poll::event);
  EXPECT_EQ(event.sequence, 4U);
  while ((found = next_of_consumer(event)) == Poll::error) {
  }
  ASSERT_EQ(found, Poll::event);
  EXPECT_EQ(event.sequence, 4U);
}

TEST_F(Followers, AreToldOfAJournalWhoseFilesAreGone) {
  follow(3);
  for (const auto& entry : fs::directory_iterator(journal())) fs::remove_all(entry.path());
  expect_both_told("holds no journal");
}

TEST_F(Followers, ReadOnInACopyThatWasPutInThePlaceOfTheJournal) {
  follow(3);
  fs::copy(journal(), moved(), fs::copy_options::recursive);
  fs::remove_all(journal());
  fs::rename(moved(), journal());
  start();
  publish(2);
  stop();
  expect_both_read(4, 5);
}

TEST_F(Followers, AreResetByAnOlderCopyInThePlaceOfTheJournal) {
  start();
  publish(2);
  stop();
  fs::copy(journal(), moved(), fs::copy_options::recursive);
  follow(5, 2);
  fs::remove_all(journal());
  fs::rename(moved(), journal());
  expect_both_reset(Reset::Reason::future);
  expect_both_read(1, 2);
}

TEST_F(Followers, AreResetByAnOlderCopyWrittenOverTheFiles) {
  start();
  publish(2);
  stop();
  fs::copy(journal(), moved(), fs::copy_options::recursive);
  follow(5, 2);
  fs::copy(moved(), journal(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  EventView event;
  ASSERT_EQ(next_of_reader(event), Poll::reset) << reader_->last_error().message;
  ASSERT_EQ(next_of_consumer(event), Poll::reset) << offline_->last_error().message;
}

TEST_F(Followers, HandOutCursorsOfTheEpochThatTheJournalHasByThen) {
  follow(3);
  const std::uint64_t before = reader_->cursor().epoch;
  // A copy: the next life cannot prove that nothing was lost, and begins a new epoch.
  fs::copy(journal(), moved(), fs::copy_options::recursive);
  fs::remove_all(journal());
  fs::rename(moved(), journal());
  start();
  publish(1);
  EventView event;
  ASSERT_EQ(next_of_reader(event), Poll::event) << reader_->last_error().message;
  EXPECT_NE(reader_->cursor().epoch, before);
  auto again = read_journal(broker_->journal(), reader_->cursor());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->next(event), Poll::empty) << "the cursor is good";
}

}  // namespace
}  // namespace leat::test
