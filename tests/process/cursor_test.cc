// Named cursors: kept by the broker over restarts and kills, one consumer's at a time, holding what was not read.
#include "process/load.h"

#include <leat/journal.h>

#include <thread>

namespace leat::test {
namespace {

class NamedCursors : public LoadTest {
 protected:
  Result<Consumer> connect(const std::string& cursor, Start from = Start::earliest()) {
    return Consumer::connect({.address = broker_->address(), .start = from, .cursor_name = cursor});
  }
  void publish(std::uint64_t count, std::size_t bytes = 0) {
    Producer producer = connect_producer();
    const std::string payload(bytes, 'x');
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::committed, kPatience).ok());
    }
  }
  // What the broker has written down of a cursor; waits until it is `sequence`.
  void wait_until_written(const std::string& name, std::uint64_t sequence) {
    for (;;) {
      auto cursors = list_cursors(broker_->journal());
      ASSERT_TRUE(cursors.ok()) << cursors.error().message;
      for (const NamedCursor& cursor : *cursors) {
        if (cursor.name == name && cursor.place.sequence == sequence) return;
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
};

TEST_F(NamedCursors, GoOnWhereTheyWereSavedWhateverTheStartSays) {
  start();
  publish(10);
  {
    auto consumer = connect("indexer");
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
    for (std::uint64_t i = 1; i <= 4; ++i) EXPECT_EQ(take_event(*consumer).sequence, i);
    ASSERT_TRUE(consumer->save_cursor().ok());
    EXPECT_EQ(take_event(*consumer).sequence, 5U) << "taken, but not saved";
  }
  auto again = connect("indexer", Start::latest());
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(take_event(*again).sequence, 5U);
  auto other = connect("other", Start::latest());
  ASSERT_TRUE(other.ok()) << other.error().message;
  EXPECT_EQ(other->cursor().sequence, 10U) << "a new one begins at the start";
}

TEST_F(NamedCursors, SurviveACleanStopAndAKill) {
  start();
  publish(10);
  auto consumer = connect("indexer");
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  for (std::uint64_t i = 1; i <= 4; ++i) EXPECT_EQ(take_event(*consumer).sequence, i);
  ASSERT_TRUE(consumer->save_cursor().ok());
  ASSERT_EQ(broker_->terminate(), 0);
  expect_error(consumer->save_cursor(), ErrorCode::no_broker, {"indexer", "start leatd"});
  start();
  EXPECT_EQ(take_event(*consumer).sequence, 5U);
  // The consumer joins the new broker by itself, and its cursor with it.
  while (!consumer->save_cursor().ok()) std::this_thread::sleep_for(milliseconds(5));
  wait_until_written("indexer", 5);
  broker_->kill9();
  start();
  consumer = connect("indexer");
  for (int i = 0; i < 1000 && !consumer.ok(); ++i) consumer = connect("indexer");
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  EXPECT_EQ(take_event(*consumer).sequence, 6U);
}

TEST_F(NamedCursors, AreOneConsumersAtATime) {
  start();
  auto first = connect("indexer");
  ASSERT_TRUE(first.ok()) << first.error().message;
  expect_error(connect("indexer"), ErrorCode::busy, {"indexer", "in use", "choose another name"});
  { const Consumer gone = std::move(*first); }
  auto second = connect("indexer");
  while (!second.ok()) second = connect("indexer");  // the broker has yet to hear of the first one's end
}

TEST_F(NamedCursors, HoldSegmentsUntilTheyMoveOrAreDropped) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--retain-bytes", "128K");
  broker_->set("--cursor-hold-bytes", "64M");
  start();
  auto consumer = connect("slow");
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  publish(300, 4000);  // some twenty segments
  EXPECT_EQ(status().earliest_sequence, 1U);
  for (std::uint64_t i = 1; i <= 200; ++i) ASSERT_EQ(take_event(*consumer).sequence, i);
  ASSERT_TRUE(consumer->save_cursor().ok());
  while (status().earliest_sequence <= 180) std::this_thread::sleep_for(milliseconds(5));  // a segment holds 13 events
  std::this_thread::sleep_for(milliseconds(300));  // some looks of the syncer: it must not go further
  EXPECT_LE(status().earliest_sequence, 201U);
  ASSERT_TRUE(consumer->drop_cursor().ok());
  while (status().earliest_sequence <= 250) std::this_thread::sleep_for(milliseconds(5));
  while (!list_cursors(broker_->journal())->empty()) std::this_thread::sleep_for(milliseconds(5));
}

TEST_F(NamedCursors, OvertakenBeyondTheBoundAreToldSo) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--retain-bytes", "128K");
  broker_->set("--cursor-hold-bytes", "256K");
  start();
  { ASSERT_TRUE(connect("asleep").ok()); }
  publish(300, 4000);
  while (status().earliest_sequence < 200) std::this_thread::sleep_for(milliseconds(5));
  auto consumer = connect("asleep");
  while (!consumer.ok()) consumer = connect("asleep");
  EventView event;
  ASSERT_EQ(consumer->wait(event, kPatience), Poll::reset);
  EXPECT_EQ(consumer->last_reset().reason, Reset::Reason::expired);
  EXPECT_EQ(consumer->last_reset().wanted_sequence, 1U);
}

TEST_F(NamedCursors, WithoutABrokerAreReadFromTheJournal) {
  start();
  publish(10);
  {
    auto consumer = connect("indexer");
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
    for (std::uint64_t i = 1; i <= 7; ++i) EXPECT_EQ(take_event(*consumer).sequence, i);
    ASSERT_TRUE(consumer->save_cursor().ok());
  }
  ASSERT_EQ(broker_->terminate(), 0);
  auto offline = connect("indexer");
  ASSERT_TRUE(offline.ok()) << offline.error().message;
  EXPECT_FALSE(offline->online());
  EXPECT_EQ(take_event(*offline).sequence, 8U);
  expect_error(offline->save_cursor(), ErrorCode::no_broker, {"indexer"});
}

TEST_F(NamedCursors, OfBadNamesAndWithoutANameAreRefused) {
  start();
  expect_error(connect("a/b"), ErrorCode::invalid_argument, {"bad cursor name 'a/b'", "1 to 63"});
  Consumer nameless = connect_consumer();
  expect_error(nameless.save_cursor(), ErrorCode::invalid_argument, {"cursor_name"});
}

TEST_F(NamedCursors, DamagedOnDiskKeepTheBrokerFromStartingAndSayWhatToDo) {
  start();
  { ASSERT_TRUE(connect("indexer").ok()); }
  ASSERT_EQ(broker_->terminate(), 0);
  const auto file = broker_->journal() / "cursors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  broker_->expect_log("cursors is damaged");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log("cursors is damaged");
  wait_for_log("remove it");
  std::filesystem::remove(file);
  start();
}

}  // namespace
}  // namespace leat::test
