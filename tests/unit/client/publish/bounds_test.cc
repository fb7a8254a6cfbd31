// What a producer admits, and which bound it names.
#include "client-lib/publish/bounds.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shm/ingest/arena_layout.h"

namespace leat::client {
namespace {

using Obstacle = Bounds::Obstacle;

constexpr std::uint64_t kArenaBytes = 64 << 10;

internal::WelcomeMessage welcome(std::uint32_t event_bytes, std::uint32_t batch_bytes) {
  internal::WelcomeMessage message{};
  message.max_record_bytes = event_bytes;
  message.max_batch_bytes = batch_bytes;
  return message;
}

TEST(Bounds, AdmitNothingBeforeABrokerHasSaidWhatItAllows) {
  Bounds bounds;
  EXPECT_FALSE(bounds.admits(8));
  bounds.set(welcome(1024, 4096), kArenaBytes);
  EXPECT_TRUE(bounds.admits(1024));
  EXPECT_FALSE(bounds.admits(1025));
  EXPECT_TRUE(bounds.admits_batch(4096));
  EXPECT_FALSE(bounds.admits_batch(4097));
}

TEST(Bounds, AreTheLeastOfWhatFeedAndArenaAllow) {
  Bounds bounds;
  bounds.set(welcome(1 << 20, 1 << 20), kArenaBytes);
  EXPECT_EQ(bounds.event_bytes(), internal::max_entry_record_bytes(kArenaBytes));
  EXPECT_EQ(bounds.batch_bytes(), internal::max_entry_record_bytes(kArenaBytes));
}

TEST(Bounds, AdmitNoEventUntilTheLastObstacleIsGone) {
  Bounds bounds;
  bounds.set(welcome(1024, 4096), kArenaBytes);
  for (const Obstacle one : {Obstacle::open_claim, Obstacle::unreported_loss, Obstacle::barred}) {
    for (const Obstacle other : {Obstacle::open_claim, Obstacle::unreported_loss, Obstacle::barred}) {
      bounds.close_for(one);
      bounds.close_for(other);
      EXPECT_FALSE(bounds.admits(8));
      EXPECT_EQ(bounds.event_bytes(), 1024u) << "the bound stays as it is";
      bounds.set(welcome(1024, 4096), kArenaBytes);
      EXPECT_FALSE(bounds.admits(8)) << "another broker's bounds do not remove it";
      bounds.open_again(one);
      EXPECT_EQ(bounds.admits(8), one == other);
      bounds.open_again(other);
      EXPECT_TRUE(bounds.admits(1024));
      EXPECT_FALSE(bounds.admits(1025));
    }
  }
}

TEST(Bounds, NameTheBoundThatBindsAndWhatRaisesIt) {
  Bounds bounds;
  const std::string payload(2000, 'x');
  const Event event{.topic = "t", .payload = payload};
  bounds.set(welcome(1024, 4096), kArenaBytes);
  EXPECT_EQ(bounds.too_large(event).advice(), "send less, or raise leatd's --max-event-bytes");
  EXPECT_EQ(bounds.too_large(std::vector<Event>(1, event)).advice(), "send less, or raise leatd's --max-event-bytes");

  bounds.set(welcome(2064, 4096), kArenaBytes);
  const Error batch = bounds.too_large(std::vector<Event>(2, event));
  EXPECT_EQ(batch.code, ErrorCode::too_large);
  EXPECT_EQ(batch.what(), "too large: the batch takes 4112 bytes, the feed takes up to 4096");
  EXPECT_TRUE(batch.advice().starts_with("send less, or raise leatd's --ring-bytes ")) << batch.advice();

  bounds.set(welcome(1 << 20, 1 << 20), internal::kMinArenaBytes);
  EXPECT_NE(bounds.too_large(event).advice().find("ProducerOptions::arena_bytes"), std::string::npos);
}

}  // namespace
}  // namespace leat::client
