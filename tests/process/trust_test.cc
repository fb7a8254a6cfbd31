// Whom clients talk to: nobody gets a word who is neither this user, nor root, nor an owner that was named.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <leat/leat.h>

#include "process/other_user.h"
#include "shm/control/control_socket.h"
#include "support/helper_main.h"
#include "process/load.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kVictim = 54321;  // has a default directory that nobody else uses

// where: listens on where/test/control.sock as its user, and says whether anybody sent it something.
int run_squatter(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const fs::path directory = arguments.text("where") + "/" + arguments.text("feed");
  ::umask(0);
  fs::create_directories(directory);
  ::chmod(directory.c_str(), 0755);
  ::chmod(directory.parent_path().c_str(), 0755);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory / "control.sock";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const internal::UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16) != 0) {
    std::perror("squatter");
    return 1;
  }
  page[kReadyWord].store(1);
  for (;;) {
    const internal::UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    internal::Received received;
    page[kResultWord].fetch_add(1);  // connections
    if (receive_message(client.get(), received, 60'000).ok() && received.size > 0) page[kResultWord + 1].fetch_add(1);
  }
}
const HelperRegistration kSquatter("squatter", &run_squatter);

void tell(const char* what, const std::string& outcome) { std::fprintf(stderr, "%s: %s\n", what, outcome.c_str()); }
template <typename T>
std::string outcome_of(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(error_name(result.error().code)) + ": " + result.error().message;
}

// runtime (may be empty), owner: connects as each kind of client.
int run_victim(const HelperArguments& arguments) {
  FeedAddress address = arguments.address();
  address.owner = arguments.text("owner");
  const auto patience = std::chrono::seconds(3);  // longer than a busy machine keeps the listener from answering
  tell("publish", outcome_of(Producer::connect({.address = address, .connect_timeout = patience})));
  tell("subscribe", outcome_of(Consumer::connect({.address = address, .connect_timeout = patience})));
  if (arguments.text("owner").empty()) tell("observe", outcome_of(FeedObserver::connect(address)));
  return 0;
}
const HelperRegistration kVictimHelper("victim", &run_victim);

class Trust : public OtherUserTest {
 protected:
  void SetUp() override {
    OtherUserTest::SetUp();
    if (broker_ == nullptr) return;
    expect_no_clean_stop();
    remove_places();
  }
  void TearDown() override {
    if (squatter_.pid() > 0) squatter_.kill9();
    remove_places();
    OtherUserTest::TearDown();
  }
  // As `squatter`, listens below `where`, which root makes and gives away where the squatter could not.
  void squat(const fs::path& where, bool root_makes_it) {
    if (root_makes_it) {
      fs::create_directories(where);
      ASSERT_EQ(::chown(where.c_str(), kNobody, kNobody), 0);
    }
    squatter_ = start("squatter", {"where=" + where.string()}, kNobody);
    page_->wait_for(kReadyWord, 1);
  }
  ChildProcess start(const std::string& helper, const std::vector<std::string>& extra, uid_t user,
                     const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {program().string(),
                                      "--helper",
                                      helper,
                                      "feed=test",
                                      "page=" + page_->path().string(),
                                      "data=" + (broker_->scratch() / "data").string()};
    words.insert(words.end(), extra.begin(), extra.end());
    std::vector<std::string> all = {"LEAT_RUNTIME_DIR=", "XDG_RUNTIME_DIR=", "LEAT_OWNER="};
    all.insert(all.end(), environment.begin(), environment.end());
    return ChildProcess({.arguments = words, .environment = all, .output = log(helper), .user = user});
  }
  std::string log(const std::string& helper) const { return (broker_->scratch() / (helper + ".log")).string(); }
  std::string ask_as_victim(const std::vector<std::string>& extra, const std::vector<std::string>& environment = {}) {
    fs::remove(log("victim"));
    EXPECT_EQ(start("victim", extra, kVictim, environment).wait(), 0);
    return read_file(log("victim"));
  }
  void expect_untrusted(const std::string& said) {
    for (const char* what : {"publish", "subscribe", "observe"}) {
      expect_line(said, std::string(what) + ": untrusted: user 65534 ");
    }
    expect_line(said, "nothing was sent");
    expect_line(said, "--owner 65534");
    EXPECT_EQ((*page_)[kResultWord + 1].load(), 0U) << "somebody said something to a stranger";
  }
  // Let in: the squatter hears from them, and hangs up.
  void expect_trusted(const std::string& said) {
    expect_line(said, "publish: no_broker: the broker of feed 'test' went away while answering");
    EXPECT_GT((*page_)[kResultWord + 1].exchange(0), 0U);
  }
  static fs::path default_place() { return "/dev/shm/leat-" + std::to_string(kVictim); }
  static fs::path named_place() { return "/dev/shm/leat-" + std::to_string(kNobody); }
  static fs::path open_place() { return "/dev/shm/leat-trust-test-open"; }
  static fs::path closed_place() { return "/run/leat-trust-test/run"; }
  static void remove_places() {
    for (const fs::path& place : {default_place(), named_place(), open_place(), closed_place().parent_path()}) {
      std::error_code ignored;
      fs::remove_all(place, ignored);
    }
  }
  ChildProcess squatter_;
};

TEST_F(Trust, TheDefaultPlaceHeldBySomebodyElseGetsNotAWord) {
  squat(default_place(), false);
  expect_untrusted(ask_as_victim({}));
  squatter_.kill9();  // and when they do not listen just now
  const std::string said = ask_as_victim({});
  expect_line(said, "publish: untrusted: user 65534 owns");
  expect_line(said, "(--runtime-dir, LEAT_RUNTIME_DIR or XDG_RUNTIME_DIR), or have root remove what they made");
}

// The sticky bit of /dev/shm lets nobody but its maker and root remove it: each remedy that is named is tried.
TEST_F(Trust, ASquattedDefaultPlaceIsToldWithRemediesThatWork) {
  fs::create_directory(default_place());
  ASSERT_EQ(::chown(default_place().c_str(), kNobody, kNobody), 0);
  const fs::path home = broker_->scratch() / "home";
  fs::create_directories(home / "session");
  fs::create_directories(home / "run");
  for (const fs::path& directory : {home, home / "session", home / "run"}) {
    ASSERT_EQ(::chown(directory.c_str(), kVictim, kVictim), 0);
    ASSERT_EQ(::chmod(directory.c_str(), 0700), 0);
  }
  const fs::path leatd = broker_->scratch() / "leatd";
  fs::copy_file(broker_->command().front(), leatd);
  ASSERT_EQ(::chmod(leatd.c_str(), 0755), 0);
  int runs = 0;
  // Ends with leatd's own status where it refuses to start, with 0 where it serves.
  const auto start_leatd = [&](const std::vector<std::string>& environment, const std::vector<std::string>& options) {
    std::vector<std::string> words = {leatd.string(), "--feed", "test", "--data-dir", (home / "data").string()};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<std::string> all = {"LEAT_RUNTIME_DIR=", "XDG_RUNTIME_DIR="};
    all.insert(all.end(), environment.begin(), environment.end());
    const std::string output = log("leatd" + std::to_string(++runs));
    ChildProcess process({.arguments = words, .environment = all, .output = output, .user = kVictim});
    while (process.running() && read_file(output).find("ready: ") == std::string::npos) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    if (process.running()) process.send_signal(SIGTERM);
    return std::pair(process.wait(), read_file(output));
  };
  const auto [status, said] = start_leatd({}, {});
  EXPECT_EQ(status, 1);
  expect_line(said, default_place().string() + " belongs to user 65534");
  expect_line(said, "have them or root remove it");
  EXPECT_EQ(said.find("; remove it"), std::string::npos) << said;
  for (const char* remedy : {"--runtime-dir", "LEAT_RUNTIME_DIR", "XDG_RUNTIME_DIR"}) expect_line(said, remedy);
  EXPECT_EQ(start_leatd({}, {"--runtime-dir", (home / "run").string()}).first, 0);
  EXPECT_EQ(start_leatd({"LEAT_RUNTIME_DIR=" + (home / "run").string()}, {}).first, 0);
  EXPECT_EQ(start_leatd({"XDG_RUNTIME_DIR=" + (home / "session").string()}, {}).first, 0);
  fs::remove_all(default_place());  // as root
  EXPECT_EQ(start_leatd({}, {}).first, 0);
  fs::remove_all(default_place());
  std::ofstream(default_place()).close();  // a file of root's
  const auto by_file = start_leatd({}, {});
  EXPECT_NE(by_file.first, 0);
  expect_line(by_file.second, "have user 0 or root move it away");
}

TEST_F(Trust, ASessionsPlaceOfOnesOwnIsNotLookedForElsewhere) {
  squat(default_place(), false);
  const fs::path session = broker_->scratch() / "session";
  fs::create_directory(session);
  ASSERT_EQ(::chown(session.c_str(), kVictim, kVictim), 0);
  const std::string said = ask_as_victim({}, {"XDG_RUNTIME_DIR=" + session.string()});
  expect_line(said, "publish: unknown_feed");
  expect_line(said, session.string() + "/leat/test");
  EXPECT_EQ((*page_)[kResultWord].load(), 0U);
}

TEST_F(Trust, ANamedPlaceThatAnybodyCanHaveMadeProvesNothing) {
  squat(open_place(), false);
  expect_untrusted(ask_as_victim({"runtime=" + open_place().string()}));
  expect_untrusted(ask_as_victim({}, {"LEAT_RUNTIME_DIR=" + open_place().string()}));
}

TEST_F(Trust, AnOwnerThatIsNamedIsTrustedByNameNumberAndVariable) {
  squat(open_place(), false);
  expect_trusted(ask_as_victim({"runtime=" + open_place().string(), "owner=65534"}));
  expect_trusted(ask_as_victim({"runtime=" + open_place().string(), "owner=nobody"}));
  expect_trusted(ask_as_victim({"runtime=" + open_place().string()}, {"LEAT_OWNER=nobody"}));
  expect_line(ask_as_victim({"runtime=" + open_place().string(), "owner=1"}), "publish: untrusted");
}

TEST_F(Trust, ANamedPlaceThatOnlyRootCanHaveGivenIsItsOwners) {
  squat(closed_place(), true);
  expect_trusted(ask_as_victim({"runtime=" + closed_place().string(), "owner="}));
  ASSERT_EQ(::chmod(closed_place().c_str(), 0777), 0);  // others could have put the feed's directory there
  expect_untrusted(ask_as_victim({"runtime=" + closed_place().string()}));
  ASSERT_EQ(::chmod(closed_place().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(closed_place().parent_path().c_str(), 01777), 0);  // or this one
  expect_untrusted(ask_as_victim({"runtime=" + closed_place().string()}));
}

TEST_F(Trust, APlaceThatBearsItsOwnersNumberIsItsOwners) {
  if (fs::exists(named_place())) GTEST_SKIP() << named_place() << " is in use";
  squat(named_place(), false);
  expect_trusted(ask_as_victim({"runtime=" + named_place().string()}));
}

// Links are followed one by one: one that anybody can have made leads nowhere.
TEST_F(Trust, ALinkInAnOpenPlaceProvesNothing) {
  squat(closed_place(), true);
  const fs::path link = "/dev/shm/leat-trust-test-link";
  fs::remove(link);
  fs::create_directory_symlink(closed_place(), link);
  expect_untrusted(ask_as_victim({"runtime=" + link.string()}));
  fs::remove(link);
  const fs::path good = closed_place().parent_path() / "link";
  fs::create_directory_symlink("run", good);
  expect_trusted(ask_as_victim({"runtime=" + good.string()}));
}

}  // namespace
}  // namespace leat::test
