// leat in the first minutes of somebody who does not know it: no broker yet, nothing right typed, feeds to be found.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <thread>

#include <nlohmann/json.hpp>

#include "process/tool.h"

namespace leat::test {
namespace {

using nlohmann::json;

class ToolFirstMinutes : public Tool {
 protected:
  ChildProcess start_leat(std::vector<std::string> arguments, const std::string& output) {
    arguments.insert(arguments.begin(), LEAT_TEST_LEAT);
    for (const std::string& more :
         {std::string("--feed"), broker_->address().feed, std::string("--runtime-dir"), broker_->address().runtime_dir,
          std::string("--data-dir"), broker_->address().data_dir}) {
      arguments.push_back(more);
    }
    return ChildProcess({.arguments = std::move(arguments),
                         .environment = {},
                         .output = (broker_->scratch() / output).string(),
                         .user = std::nullopt});
  }
};

TEST_F(ToolFirstMinutes, EveryCommandThatConnectsWaitsForABrokerThatIsStillToCome) {
  struct Case {
    std::vector<std::string> arguments;
    const char* output;
  };
  std::vector<Case> cases = {{{"pub", "--topic", "a.b", "--wait", "100", "hello"}, "1\n"},
                             {{"tail", "--wait", "100", "--from", "earliest", "--count", "1", "--format", "raw"},
                              "hello\n"},
                             {{"stat", "--wait", "100", "--sample", "0"}, "running"}};
  std::vector<ChildProcess> children;
  for (std::size_t i = 0; i < cases.size(); ++i)
    children.push_back(start_leat(cases[i].arguments, "early" + std::to_string(i)));
  start();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(children[i].wait(), 0) << cases[i].arguments[0];
    const std::string said = slurp(broker_->scratch() / ("early" + std::to_string(i)));
    EXPECT_NE(said.find(cases[i].output), std::string::npos) << cases[i].arguments[0] << ": " << said;
  }
}

TEST_F(ToolFirstMinutes, WaitsForABrokerThatHasBegunToStartLongerThanForNone) {
  start();
  ASSERT_EQ(broker_->terminate(), 0);
  // In the place of a broker that goes through its journal: the lock is held, and nobody listens.
  const int lock = ::open((broker_->journal() / "lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(lock, 0);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  ChildProcess standby = broker_->start_standby();  // sleeps until it gets the lock
  ChildProcess pub = start_leat({"pub", "--topic", "t", "hello"}, "pub");
  std::this_thread::sleep_for(milliseconds(1500));  // longer than none is waited for
  EXPECT_TRUE(pub.running());
  ::close(lock);
  const auto served = broker_->wait_until_served_by(standby);
  ASSERT_TRUE(served.ok()) << served.error().message;
  broker_->replace_by(std::move(standby));
  EXPECT_EQ(pub.wait(), 0);
  EXPECT_NE(slurp(broker_->scratch() / "pub").find("1\n"), std::string::npos);
}

TEST_F(ToolFirstMinutes, DoesNotWaitWhereItIsToldNotTo) {
  for (const char* command : {"pub --topic t x", "tail", "stat"}) {
    expect_one_line(run(command + std::string(" --wait 0 --feed nope")), 3, {"unknown feed 'nope'"});
  }
}

TEST_F(ToolFirstMinutes, SaysHowItIsUsedWhereItIsUsedWrongly) {
  const Outcome bare = run("");
  EXPECT_EQ(bare.status, 2) << "no success, for a script that lost its arguments";
  for (const char* part : {"leatd --feed", "leat pub", "tail", "feeds", "leat help"}) {
    EXPECT_NE(bare.out.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(bare.err, "");
  const Outcome help = run("help");
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("Exit status:"), std::string::npos);
  const Outcome of_pub = run("help pub");
  EXPECT_EQ(of_pub.status, 0);
  EXPECT_EQ(of_pub.out, run("pub --help").out);
  expect_one_line(run("help tial"), 2, {"unknown command 'tial'", "did you mean tail?", "leat --help"});
  expect_one_line(run("tial"), 2, {"unknown command 'tial'", "did you mean tail?"});
  expect_one_line(run("tail --feeed x"), 2, {"unknown option '--feeed'", "did you mean --feed?", "leat tail --help"});
  expect_one_line(run("tail --feeed=x"), 2, {"unknown option '--feeed'", "did you mean --feed?"});
  expect_one_line(run("pub --feed x --topic t a b"), 2, {"unexpected argument 'b'", "leat pub --help"});
  EXPECT_EQ(run("version").out.rfind("leat ", 0), 0U);
  EXPECT_EQ(run("version").out, run("--version").out);
  EXPECT_TRUE(json::parse(run("version --json").out).contains("version"));
}

TEST_F(ToolFirstMinutes, EveryProgramAndThePackageNameOneVersion) {
  EXPECT_EQ(run("version").out, "leat " LEAT_TEST_VERSION "\n");
  EXPECT_EQ(json::parse(run("version --json").out)["version"], LEAT_TEST_VERSION);
  const std::string of_leatd = shell("'" + broker_->command()[0] + "' --version").out;
  EXPECT_EQ(of_leatd.rfind("leatd " LEAT_TEST_VERSION " (", 0), 0U) << of_leatd;
}

TEST_F(ToolFirstMinutes, TakesTheFeedFromTheEnvironment) {
  start();
  const std::string leat = "LEAT_FEED=" + broker_->address().feed + " \"$leat\" ";
  EXPECT_EQ(shell(leat + "pub --topic t x").out, "1\n");
  EXPECT_EQ(shell(leat + "tail --from earliest --count 1 --format raw").out, "x\n");
  EXPECT_EQ(shell(leat + "verify").status, 0);
  EXPECT_EQ(shell(leat + "verify --journal '" + broker_->journal().string() + "'").status, 0) << "no contradiction";
  expect_one_line(shell("LEAT_FEED=nope \"$leat\" verify"), 3, {"nope"});
}

TEST_F(ToolFirstMinutes, ShowsTheNamesThatItWasGiven) {
  start();
  ChildProcess reader = start_leat({"tail", "--name", "my-reader"}, "tail");
  json status;
  do {
    status = json::parse(run("stat --sample 0 --format json" + feed()).out);
  } while (status["consumers"].empty());
  EXPECT_EQ(status["consumers"][0]["name"], "my-reader");
  const Outcome one = run("pub --name mine --topic t --format json x" + feed());
  const json outcome = json::parse(one.out);
  EXPECT_EQ(outcome["sequence"], 1);
  EXPECT_GT(outcome["producer_id"], 0);
  EXPECT_EQ(outcome["producer_sequence"], 1);
  reader.send_signal(SIGTERM);
  EXPECT_EQ(reader.wait(), 128 + SIGTERM);
}

TEST_F(ToolFirstMinutes, ListsWhatIsServedAndWhatIsStored) {
  const std::string own =
      " --runtime-dir '" + broker_->address().runtime_dir + "' --data-dir '" + broker_->address().data_dir + "' ";
  const auto look = [&]() -> json {
    const Outcome listed = run("feeds --format json" + own);
    EXPECT_EQ(listed.status, 0) << listed.err;
    const json all = json::parse(listed.out);
    for (const json& found : all["feeds"]) {  // the host may have others
      const bool here =
          found["data_dir"] == broker_->address().data_dir || found["runtime_dir"] == broker_->address().runtime_dir;
      if (found["feed"] == broker_->address().feed && here) return found;
    }
    return nullptr;
  };
  EXPECT_TRUE(look().is_null());
  start();
  ASSERT_EQ(run("pub --topic t x" + feed()).status, 0);
  const json served = look();
  ASSERT_FALSE(served.is_null());
  EXPECT_EQ(served["served"], true);
  EXPECT_EQ(served["state"], "running");
  EXPECT_EQ(served["pid"], broker_->pid());
  EXPECT_EQ(served["uid"], ::geteuid());
  EXPECT_EQ(served["earliest_sequence"], 1);
  EXPECT_EQ(served["latest_sequence"], 1);
  EXPECT_EQ(served["runtime_dir"], broker_->address().runtime_dir);
  EXPECT_EQ(served["data_dir"], broker_->address().data_dir) << "one line for the feed and its journal";
  EXPECT_NE(run("feeds" + own).out.find(broker_->address().feed), std::string::npos);
  ASSERT_EQ(broker_->terminate(), 0);
  const json stored = look();
  ASSERT_FALSE(stored.is_null());
  EXPECT_EQ(stored["served"], false);
  EXPECT_EQ(stored["state"], "stored");
  EXPECT_EQ(stored["latest_sequence"], 1);
  EXPECT_TRUE(stored["runtime_dir"].is_null());
}

TEST_F(ToolFirstMinutes, FindsAFeedInTheDefaultDirectoryOfAnotherUser) {
  const std::filesystem::path theirs = "/dev/shm/leat-test-" + std::to_string(::getpid()) + "-of-another";
  const std::string none = (broker_->scratch() / "none").string();
  broker_->set_runtime_dir(theirs);
  start();
  const Outcome told = shell("LEAT_RUNTIME_DIR='" + none + "' \"$leat\" tail --wait 0" + feed());
  expect_one_line(told, 3, {"is served in", theirs.c_str(), "by user", std::to_string(broker_->pid()).c_str()});
  const Outcome listed = shell("LEAT_RUNTIME_DIR='" + none + "' \"$leat\" feeds --format json");
  EXPECT_NE(listed.out.find(theirs.string()), std::string::npos) << listed.out;
  broker_->kill9();
  std::filesystem::remove_all(theirs);
}

TEST_F(ToolFirstMinutes, SaysWhereElseAFeedOfThatNameIsServedOrStored) {
  start();
  const std::string elsewhere = (broker_->scratch() / "elsewhere").string();
  // The environment names the directories of the broker; this command line names others.
  expect_one_line(run("tail --wait 0" + feed() + "--runtime-dir '" + elsewhere + "'"), 3,
                  {"is served in", broker_->address().runtime_dir.c_str(), "--runtime-dir",
                   std::to_string(broker_->pid()).c_str()});
  ASSERT_EQ(broker_->terminate(), 0);
  expect_one_line(run("tail --wait 0" + feed() + "--data-dir '" + elsewhere + "'"), 3,
                  {"unknown feed", "a journal of feed", broker_->address().data_dir.c_str(), "--data-dir"});
  expect_one_line(run("cursors" + feed() + "--data-dir '" + elsewhere + "'"), 3, {broker_->address().data_dir.c_str()});
}

}  // namespace
}  // namespace leat::test
