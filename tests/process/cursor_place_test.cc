// Saving a named cursor at an earlier event than the last one taken: for whoever is done with events later than it
// takes them.
#include "support/broker_test.h"

namespace leat::test {
namespace {

class CursorPlace : public BrokerTest {
 protected:
  Consumer connect() {
    auto consumer =
        Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "worker"});
    if (!consumer) throw std::runtime_error(consumer.error().message);
    return std::move(*consumer);
  }
};

TEST_F(CursorPlace, GoesOnBehindTheEventThatWasSaved) {
  start();
  Producer producer = connect_producer();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  {
    Consumer consumer = connect();
    Cursor second;
    for (int i = 1; i <= 4; ++i) {
      const EventView event = take_event(consumer);
      if (i == 2) second = event.cursor;
    }
    ASSERT_TRUE(consumer.save_cursor(second).ok());
    EXPECT_EQ(consumer.cursor().sequence, 4U) << "the consumer itself does not move";
    EXPECT_EQ(take_event(consumer).sequence, 5U);
  }
  Consumer again = connect();
  EXPECT_EQ(take_event(again).sequence, 3U);
}

TEST_F(CursorPlace, CannotLieAheadOfTheConsumer) {
  start();
  Producer producer = connect_producer();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  Consumer consumer = connect();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  Cursor ahead = consumer.cursor();
  ahead.sequence = 2;
  expect_error(consumer.save_cursor(ahead), ErrorCode::invalid_argument, {ahead.to_string().c_str(), "has come to"});
  ASSERT_TRUE(consumer.save_cursor().ok());
}

}  // namespace
}  // namespace leat::test
