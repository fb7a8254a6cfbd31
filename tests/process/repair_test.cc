// leat verify and leat repair, as an operator meets them: a real journal, damaged, repaired, and served again.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "support/broker_test.h"

namespace leat::test {
namespace {

using nlohmann::json;

class RepairTool : public BrokerTest {
 protected:
  struct Outcome {
    int status = 0;
    std::string text;
  };
  Outcome leat(std::vector<std::string> arguments) {
    const std::string output = (broker_->scratch() / ("tool" + std::to_string(++runs_))).string();
    arguments.insert(arguments.begin(), LEAT_TEST_LEAT);
    arguments.insert(arguments.end(), {"--journal", broker_->journal().string()});
    ChildProcess child({.arguments = std::move(arguments), .environment = {}, .output = output, .user = std::nullopt});
    const int status = child.wait();
    return {.status = status, .text = read_file(output)};
  }
  void publish(std::uint64_t count) {
    Producer producer = connect_producer();
    const std::string payload(1000, 'x');
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::durable, kPatience).ok());
    }
  }
  std::vector<std::filesystem::path> segments() const { return broker_->segments(); }
  static void damage(const std::filesystem::path& file, std::streamoff offset, const std::string& bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(offset);
    stream << bytes;
  }
  // Everything from the first event on; a gap counts as what it says is missing.
  void expect_all_but(std::uint64_t first_lost, std::uint64_t last_lost, std::uint64_t newest) {
    Consumer consumer = connect_consumer();
    std::uint64_t next = 1;
    while (next <= newest) {
      EventView event;
      const Poll found = consumer.wait(event, kPatience);
      if (found == Poll::reset) {
        ASSERT_EQ(consumer.last_reset().reason, Reset::Reason::gap);
        ASSERT_EQ(next, first_lost);
        ASSERT_EQ(consumer.last_reset().resume.sequence, last_lost);
        next = last_lost + 1;
        continue;
      }
      ASSERT_EQ(found, Poll::event) << consumer.last_error().message;
      ASSERT_EQ(event.sequence, next);
      ++next;
    }
  }

 private:
  int runs_ = 0;
};

TEST_F(RepairTool, MendsASealedSegmentAndTheFeedGoesOn) {
  broker_->set("--segment-bytes", "64K");
  start();
  publish(200);
  EXPECT_EQ(leat({"verify"}).status, 0) << "beside the broker";
  const Outcome refused = leat({"repair", "--yes"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.text.find("stop it first"), std::string::npos) << refused.text;
  ASSERT_EQ(broker_->terminate(), 0);
  const auto intact = leat({"verify", "--format", "json"});
  ASSERT_EQ(intact.status, 0) << intact.text;
  EXPECT_EQ(json::parse(intact.text)["events"], 200);

  damage(segments()[1], 30'000, "damaged");
  const Outcome damaged = leat({"verify", "--format", "json"});
  EXPECT_EQ(damaged.status, 1);
  const json found = json::parse(damaged.text)["damages"];
  ASSERT_EQ(found.size(), 1U) << damaged.text;
  EXPECT_EQ(found[0]["kind"], "records");
  const std::uint64_t lost = found[0]["first_lost"];
  EXPECT_EQ(found[0]["last_lost"], lost);
  const std::string before = read_file(segments()[1]);
  const Outcome planned = leat({"repair", "--dry-run"});
  EXPECT_EQ(planned.status, 1);
  EXPECT_NE(planned.text.find("event " + std::to_string(lost) + " will be given up"), std::string::npos)
      << planned.text;
  EXPECT_EQ(leat({"repair"}).status, 1) << "nobody said yes";
  EXPECT_EQ(read_file(segments()[1]), before);

  const Outcome repaired = leat({"repair", "--yes"});
  EXPECT_EQ(repaired.status, 0) << repaired.text;
  EXPECT_NE(repaired.text.find("kept: torn-"), std::string::npos) << repaired.text;
  const Outcome again = leat({"verify"});
  EXPECT_EQ(again.status, 0) << again.text;
  EXPECT_NE(again.text.find("gap: "), std::string::npos) << again.text;
  start();
  publish(1);
  expect_all_but(lost, lost, 201);
  EXPECT_EQ(leat({"verify"}).status, 0);
}

// The rings of the broker that was killed hold what the journal has lost.
TEST_F(RepairTool, MendsWhatKeepsAKilledBrokerFromStarting) {
  start();
  publish(20);
  Consumer before = connect_consumer();
  for (std::uint64_t i = 1; i <= 10; ++i) EXPECT_EQ(take_event(before).sequence, i);
  broker_->kill9();
  const std::string bytes = read_file(segments()[0]);
  damage(segments()[0], static_cast<std::streamoff>(bytes.find(std::string(500, 'x'))), "damaged");
  broker_->expect_log("corrupt journal");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log("leat repair");
  const Outcome repaired = leat({"repair", "--yes"});
  ASSERT_EQ(repaired.status, 0) << repaired.text;
  start();
  publish(1);
  expect_all_but(1, 1, 21);
  for (std::uint64_t i = 11; i <= 21; ++i) EXPECT_EQ(take_event(before).sequence, i) << "it has long passed the gap";
}

TEST_F(RepairTool, VerifiesBesideABrokerThatWritesRollsAndPrunes) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--retain-bytes", "256K");
  start();
  Producer producer = connect_producer();
  const std::string payload(1500, 'x');
  for (int round = 0; round < 10; ++round) {
    ChildProcess verify({.arguments = {LEAT_TEST_LEAT, "verify", "--journal", broker_->journal().string()},
                         .environment = {},
                         .output = (broker_->scratch() / "verify").string(),
                         .user = std::nullopt});
    while (verify.running()) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::committed, kPatience).ok());
    }
    ASSERT_EQ(verify.wait(), 0) << read_file(broker_->scratch() / "verify");
  }
}

}  // namespace
}  // namespace leat::test
