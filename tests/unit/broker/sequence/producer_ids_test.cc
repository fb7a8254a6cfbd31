// An id is given to one producer in the life of a feed: there are 2^32, and then there are no more.
#include <gtest/gtest.h>

#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using test::FeedProducer;
using test::OneFeed;

TEST(ProducerIds, EndWithAWordAndWithoutOneBeingGivenTwice) {
  OneFeed feed;
  FeedProducer first = feed.add_producer();
  feed.files->registry_header().next_producer_id = kMaxProducerIds - 2;
  feed.restart();
  EXPECT_EQ(feed.add_producer().registration.producer_id, kMaxProducerIds - 2);
  FeedProducer last = feed.add_producer();
  EXPECT_EQ(last.registration.producer_id, kMaxProducerIds - 1);
  for (int i = 0; i < 2; ++i) {
    try {
      const FeedProducer more = feed.add_producer();
      ADD_FAILURE() << "given: " << more.registration.producer_id;
    } catch (const std::runtime_error& refused) {
      EXPECT_NE(std::string(refused.what()).find("producer ids"), std::string::npos) << refused.what();
    }
    // Those that are here go on; and the journal says as much as the registry does.
    ASSERT_TRUE(last.publish(Event{.topic = "t", .payload = std::string_view("x")}));
    ASSERT_TRUE(first.publish(Event{.topic = "t", .payload = std::string_view("x")}));
    feed.drain();
    EXPECT_EQ(feed.journaled().back().producer_id, 1U);
    feed.restart();
    EXPECT_EQ(feed.recovered().next_producer_id, kMaxProducerIds);
  }
}

}  // namespace
}  // namespace leat::broker
