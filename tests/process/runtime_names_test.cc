// The files of the runtime directory are removed, renamed or replaced while a broker runs on them.
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "support/broker_test.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

struct Happening {
  const char* name;
  bool repaired;  ///< the files have their names again by themselves
  std::function<void(const fs::path& shm)> happens;
};

void PrintTo(const Happening& happening, std::ostream* out) { *out << happening.name; }

class RuntimeNames : public BrokerTest, public testing::WithParamInterface<Happening> {
 protected:
};

TEST_P(RuntimeNames, AreMissedAtOnceAndNothingThatWasAcceptedIsLostInSilence) {
  start();
  const std::uint64_t epoch = status().epoch;
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  broker_->expect_log("was removed or replaced while the feed was served");
  GetParam().happens(broker_->runtime() / "shm");
  if (GetParam().repaired) {
    wait_for_log("to the broker's own again");
    EXPECT_EQ(status().state, "running");
    // A kill now is like any other.
    broker_->stop();
    auto held = producer.publish({.topic = "t"});
    ASSERT_TRUE(held.ok()) << held.error().message;
    broker_->kill9();
    start();
    EXPECT_EQ(producer.wait(*held, Ack::committed, kPatience).value(), 2U);
    EXPECT_EQ(status().epoch, epoch);
    return;
  }
  wait_for_log("was removed or replaced while the feed was served");
  // All that was accepted is journaled, and the same process serves the feed with new rings, to which clients come by
  // themselves.
  while (broker_->log().find("ready:", broker_->log().find("was removed or replaced")) == std::string::npos) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  auto sequence = producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience);
  if (!sequence) sequence = producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  EXPECT_EQ(*sequence, 2U);
  EXPECT_EQ(status().epoch, epoch) << "as after a clean stop";
  EXPECT_EQ(status().state, "running");
}

const Happening kHappenings[] = {
    {"AllAreRemoved", false,
     [](const fs::path& shm) {
       for (const auto& entry : fs::directory_iterator(shm)) fs::remove(entry.path());
     }},
    {"TheirDirectoryIsRemoved", false, [](const fs::path& shm) { fs::remove_all(shm); }},
    {"OneIsRemoved", false, [](const fs::path& shm) { fs::remove(shm / "registry"); }},
    {"AnArenaIsRemoved", false, [](const fs::path& shm) { fs::remove(shm / "arena-0-1"); }},
    {"OneIsReplacedByACopy", false,
     [](const fs::path& shm) {
       fs::copy(shm / "inbound", shm / "copy");
       fs::rename(shm / "copy", shm / "inbound");
     }},
    {"OneIsRenamed", true, [](const fs::path& shm) { fs::rename(shm / "registry", shm / "registry.away"); }},
    {"OneIsRenamedAndAnotherPutInItsPlace", true,
     [](const fs::path& shm) {
       fs::rename(shm / "inbound", shm / "inbound.away");
       std::ofstream(shm / "inbound") << "something else";
     }},
    {"AnArenaIsRenamed", true, [](const fs::path& shm) { fs::rename(shm / "arena-0-1", shm / "arena-away"); }},
    {"TheirDirectoryIsRenamed", false, [](const fs::path& shm) { fs::rename(shm, shm.string() + ".away"); }},
};

INSTANTIATE_TEST_SUITE_P(EveryHappening, RuntimeNames, testing::ValuesIn(kHappenings),
                         [](const auto& happening) { return std::string(happening.param.name); });

}  // namespace
}  // namespace leat::test
