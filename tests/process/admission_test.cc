// Who is let in, and what the others can reach.
#include <string>

#include "process/other_user.h"

namespace leat::test {
namespace {

class AdmissionOfOtherUsers : public OtherUserTest {
 protected:
  std::string run_as_nobody(std::uint64_t events) {
    return OtherUserTest::run_as_nobody("outsider", {"events=" + std::to_string(events)});
  }
  static void expect_rings_are_closed(const std::string& said) {
    for (const char* what : {"rings", "inbound", "broadcast", "registry"}) {
      expect_line(said, std::string(what) + ": closed to us");
    }
  }
};

TEST_F(AdmissionOfOtherUsers, ByDefaultNobodyElseGetsInOrReachesAnyFile) {
  start();
  publish_some(3);
  const std::string said = run_as_nobody(0);
  for (const char* what : {"publish", "subscribe", "observe"}) {
    expect_line(said, std::string(what) + ": permission_denied: no right to reach feed 'test'");
  }
  expect_rings_are_closed(said);
  expect_line(said, "identity: closed to us");
}

TEST_F(AdmissionOfOtherUsers, WhoMaySubscribeGetsAllOfTheJournalAndMayNotPublish) {
  broker_->set("--allow-subscribe", "uid:65534");
  broker_->set("--ring-bytes", "16K");
  broker_->set("--segment-bytes", "32K");
  broker_->set("--max-event-bytes", "2K");
  start();
  publish_some(3000);  // far more than the ring holds: most must come from the journal's files
  const std::string said = run_as_nobody(3000);
  expect_line(said, "subscribe: ok");
  expect_line(said, "observe: ok");
  expect_line(said, "publish: permission_denied: user 65534 may not publish to this feed");
  expect_line(said, "--allow-publish uid:65534");
  expect_line(said, "consumed: 3000");
  expect_rings_are_closed(said);
}

TEST_F(AdmissionOfOtherUsers, WhoMayPublishMayNotSubscribe) {
  broker_->set("--allow-publish", "gid:65534");
  start();
  publish_some(1);
  const std::string said = run_as_nobody(0);
  expect_line(said, "publish: ok");
  expect_line(said, "subscribe: permission_denied: user 65534 may not subscribe to this feed");
  expect_rings_are_closed(said);
}

}  // namespace
}  // namespace leat::test
