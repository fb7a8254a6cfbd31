// leat, the command line, as a user or a script meets it: outputs, exit statuses, one line that says what and what to
// do.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "process/tool.h"

namespace leat::test {
namespace {

using nlohmann::json;

TEST_F(Tool, PublishesOneEventAndPrintsItsSequence) {
  start();
  const Outcome first = run("pub" + feed() + "--topic a.b --key k --message-id m hello");
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, "1\n");
  EXPECT_EQ(run("pub" + feed() + "--topic a.b --ack durable -- -dash").out, "2\n");
  EXPECT_EQ(shell("printf 'x\\ny' | \"$leat\" pub" + feed() + "--topic a.b").out, "3\n") << "all of standard input";
  const Outcome tail = run("tail" + feed() + "--from earliest --count 3 --format json");
  ASSERT_EQ(tail.status, 0) << tail.err;
  std::istringstream lines(tail.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  json event = json::parse(line);
  EXPECT_EQ(event["sequence"], 1);
  EXPECT_EQ(event["topic"], "a.b");
  EXPECT_EQ(event["key"], "k");
  EXPECT_EQ(event["message_id"], "m");
  EXPECT_EQ(event["payload"], "hello");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(json::parse(line)["payload"], "-dash");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(json::parse(line)["payload"], "x\ny");
}

TEST_F(Tool, PublishesLinesAndNdjsonAndCountsWhatItDidNot) {
  start();
  Outcome lines = shell("printf 'a\\n\\nc' | \"$leat\" pub" + feed() + "--topic t --lines");
  EXPECT_EQ(lines.status, 0) << lines.err;
  EXPECT_NE(lines.err.find("3 published, 0 refused, 0 ephemeral skipped, sequences 1..3"), std::string::npos)
      << lines.err;
  const Outcome objects =
      shell(R"(printf '%s\n' '{"topic":"x.y","key":"k","payload":{"n":1}}' '{"topic":"z","durable":false}' \
    '{"payload":"p"}' | "$leat" pub --ndjson --topic t --key wins)" +
            feed());
  EXPECT_EQ(objects.status, 0) << objects.err;
  EXPECT_NE(objects.err.find("2 published, 0 refused, 1 ephemeral skipped, sequences 4..5"), std::string::npos)
      << objects.err;
  const Outcome tail = run("tail" + feed() + "--from 4 --count 2 --format json");
  std::istringstream read(tail.out);
  std::string line;
  ASSERT_TRUE(std::getline(read, line));
  EXPECT_EQ(json::parse(line)["key"], "wins") << "the caller's key wins over the event's own";
  EXPECT_EQ(json::parse(json::parse(line)["payload"].get<std::string>()), json::parse(R"({"n":1})"));
  ASSERT_TRUE(std::getline(read, line));
  EXPECT_EQ(json::parse(line)["topic"], "t") << "the default for objects without";
  const Outcome bad = shell("printf '%s\\n' '{\"topic\":\"a b\"}' '{}' | \"$leat\" pub --ndjson --topic t" + feed());
  EXPECT_EQ(bad.status, 6) << bad.err;
  EXPECT_NE(bad.err.find("line 1"), std::string::npos) << bad.err;
}

TEST_F(Tool, SaysWhichBoundAnEventIsOverAndWhatRaisesThatOne) {
  broker_->set("--arena-bytes", "16K");
  start();
  const std::string publish = " | \"$leat\" pub --topic t" + feed();
  const auto of_bytes = [](int count) { return "head -c " + std::to_string(count) + " /dev/zero | tr '\\0' x"; };
  for (const char* lines : {"", "--lines"}) {
    const Outcome over_the_arena = shell(of_bytes(20'000) + publish + lines);
    EXPECT_NE(over_the_arena.status, 0);
    EXPECT_NE(over_the_arena.err.find("raise leatd's --arena-bytes"), std::string::npos) << over_the_arena.err;
    EXPECT_EQ(over_the_arena.err.find("--max-event-bytes"), std::string::npos) << "it would not help";
  }
  ASSERT_EQ(broker_->terminate(), 0);
  broker_->set("--arena-bytes", "256K");
  broker_->set("--max-arena-bytes", "256K");
  start();
  for (const char* lines : {"", "--lines"}) {
    const Outcome over_the_feeds = shell(of_bytes(40'000) + publish + lines);
    EXPECT_NE(over_the_feeds.status, 0);
    EXPECT_NE(over_the_feeds.err.find("raise leatd's --max-event-bytes"), std::string::npos) << over_the_feeds.err;
    EXPECT_EQ(over_the_feeds.err.find("--arena-bytes"), std::string::npos) << over_the_feeds.err;
  }
  EXPECT_EQ(status().latest_sequence, 0U);
}

// What tail prints can be published as it is, although its place was lost on the way.
TEST_F(Tool, PublishesWhatTailPrintsAndPassesOverItsResets) {
  start();
  shell("seq 2 | \"$leat\" pub --lines --topic n" + feed());
  const Outcome copied = shell("\"$leat\" tail --from 999 --count 2 --format json" + feed() +
                               "| \"$leat\" pub --ndjson --topic t" + feed());
  EXPECT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.err.find("line 1: a reset, not an event"), std::string::npos) << copied.err;
  EXPECT_NE(copied.err.find("2 published, 0 refused"), std::string::npos) << copied.err;
  EXPECT_EQ(run("tail --from 3 --count 2 --format raw" + feed()).out, "1\n2\n");
}

TEST_F(Tool, PublishesHeadersAndDeletesKeysAndPublishesWhatTailPrintsOfThem) {
  start();
  ASSERT_EQ(run("pub" + feed() + "--topic t --key k --header type=text/plain -H trace=a=b hello").out, "1\n");
  ASSERT_EQ(run("pub" + feed() + "--topic t --key k --delete").out, "2\n");
  ASSERT_EQ(shell("printf 'a\\nb\\n' | \"$leat\" pub" + feed() + "--topic t --lines -H n=v").status, 0);
  const std::string tail = "tail" + feed() + "--from earliest --count 4";
  const Outcome printed = run(tail + " --format json");
  ASSERT_EQ(printed.status, 0) << printed.err;
  std::istringstream lines(printed.out);
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0]["headers"], json::parse(R"({"type":"text/plain","trace":"a=b"})"));
  EXPECT_FALSE(events[0].contains("tombstone"));
  EXPECT_EQ(events[1]["tombstone"], true);
  EXPECT_FALSE(events[1].contains("headers"));
  EXPECT_EQ(events[3]["headers"], json::parse(R"({"n":"v"})"));
  const Outcome again = shell("\"$leat\" " + tail + " --format json | \"$leat\" pub --ndjson" + feed());
  ASSERT_EQ(again.status, 0) << again.err;
  const Outcome copies = run("tail" + feed() + "--from 5 --count 4 --format json");
  std::istringstream copied(copies.out);
  for (const json& event : events) {
    std::string line;
    ASSERT_TRUE(std::getline(copied, line));
    const json copy = json::parse(line);
    for (const char* const field : {"topic", "key", "payload", "headers", "tombstone"}) {
      EXPECT_EQ(copy.value(field, json()), event.value(field, json())) << field;
    }
  }
  for (const char* const bad :
       {"--header x hello", "--header =v hello", "-H a=1 -H a=2 hello", "--delete", "--key k --delete hello"}) {
    const Outcome refused = run("pub" + feed() + "--topic t " + bad + " < /dev/null");
    EXPECT_NE(refused.status, 0) << bad;
    EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
  }
}

TEST_F(Tool, TailsByFilterFormatAndPlace) {
  start();
  shell("for t in session.1.done session.2.open session.2.done; do \"$leat\" pub --topic $t" + feed() + "$t; done");
  EXPECT_EQ(run("tail" + feed() + "--from earliest --filter 'session.*.done' --count 2 --format raw").out,
            "session.1.done\nsession.2.done\n");
  const Outcome text = run("tail" + feed() + "--from 2 --count 1");
  EXPECT_NE(text.out.find(" session.2.open - session.2.open\n"), std::string::npos) << text.out;
  const std::string cursor =
      json::parse(run("tail" + feed() + "--from 2 --count 1 --format json").out)["cursor"].get<std::string>();
  EXPECT_EQ(run("tail" + feed() + "--from " + cursor + " --count 1 --format raw").out, "session.2.done\n");
  const Outcome late = run("tail" + feed() + "--from latest --timeout 0.05");
  EXPECT_EQ(late.status, 5) << late.err;
}

TEST_F(Tool, ReadsWhatWasAskedForAndEnds) {
  start();
  ASSERT_EQ(shell("seq 10 | \"$leat\" pub" + feed() + "--topic t --lines").status, 0);
  const auto tail = [&](const std::string& options) { return run("tail" + feed() + options + " --format raw"); };
  EXPECT_EQ(tail("--last 3 --until head").out, "8\n9\n10\n");
  EXPECT_EQ(tail("--last 100 --until 2").out, "1\n2\n");
  EXPECT_EQ(tail("--from 9 --until 4").out, "") << "all of it lies before the start";
  EXPECT_EQ(tail("--last 0 --until head").out, "");
  EXPECT_EQ(tail("--since -1h --until now").out, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
  EXPECT_EQ(tail("--since=-5m --count 1").out, "1\n");
  EXPECT_EQ(tail("--from earliest --until -1h").out, "");
  const std::string replay = "replay --journal " + broker_->journal().string() + " --format raw ";
  EXPECT_EQ(run(replay + "--last 2").out, "9\n10\n");
  EXPECT_EQ(run(replay + "--since -1h --until 3").out, "1\n2\n3\n");
  EXPECT_EQ(run(replay + "--last 2 --until head").out, "9\n10\n");
  for (const char* const bad : {"--last 1 --from 2", "--last 1 --since -5m", "--since -5m --from 1", "--since soon",
                                "--until never", "--last -1", "--last 1.5"}) {
    const Outcome refused = tail(bad);
    EXPECT_EQ(refused.status, 2) << bad << refused.err;
  }
  EXPECT_EQ(run(replay + "--to 3 --until 4").status, 2);
  EXPECT_EQ(run(replay + "--follow --until head").status, 2);
}

// The event that shows that the end is reached belongs to the next run.
TEST_F(Tool, ReadsUpToATimeAndLeavesTheRestForTheNextRun) {
  start();
  ASSERT_EQ(run("pub" + feed() + "--topic t early").status, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::int64_t between = internal::realtime_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_EQ(run("pub" + feed() + "--topic t late").status, 0);
  const std::string tail = "tail" + feed() + "--from earliest --cursor c --format raw ";
  EXPECT_EQ(run(tail + "--until " + std::to_string(between)).out, "early\n");
  EXPECT_EQ(run(tail + "--until head").out, "late\n");
  EXPECT_EQ(run(tail + "--until head").out, "");
}

TEST_F(Tool, EndsQuietlyWhenTheReaderGoesAndAtCtrlC) {
  start();
  shell("seq 20000 | \"$leat\" pub --lines --topic n" + feed());
  const Outcome piped = shell("\"$leat\" tail --from earliest --format raw" + feed() + "| head -2");
  EXPECT_EQ(piped.out, "1\n2\n");
  EXPECT_EQ(piped.err, "");
  // In the background of a shell SIGINT is ignored, so the signal is sent to a child of our own.
  ChildProcess tail({.arguments = {LEAT_TEST_LEAT, "tail", "--feed", broker_->address().feed, "--runtime-dir",
                                   broker_->address().runtime_dir, "--data-dir", broker_->address().data_dir, "--from",
                                   "20000", "--format", "raw"},
                     .environment = {},
                     .output = (broker_->scratch() / "ctrl_c").string(),
                     .user = std::nullopt});
  while (slurp(broker_->scratch() / "ctrl_c") != "20000\n") std::this_thread::sleep_for(milliseconds(5));
  tail.send_signal(SIGINT);
  EXPECT_EQ(tail.wait(), 128 + SIGINT);
  EXPECT_EQ(slurp(broker_->scratch() / "ctrl_c"), "20000\n") << "and nothing else was said";
}

TEST_F(Tool, ReplaysAJournalWithoutABroker) {
  start();
  shell("seq 5 | \"$leat\" pub --lines --topic n" + feed());
  ASSERT_EQ(broker_->terminate(), 0);
  EXPECT_EQ(run("replay --journal '" + broker_->journal().string() + "' --format raw").out, "1\n2\n3\n4\n5\n");
  EXPECT_EQ(run("replay --journal '" + broker_->journal().string() + "' --from 4 --format raw").out, "4\n5\n");
  expect_one_line(run("replay --journal /nonexistent/x"), 3, {"/nonexistent/x", "check the path"});
  expect_one_line(run("tail" + feed()), 3, {"leatd --feed"});
  EXPECT_EQ(run("tail" + feed() + "--offline --from earliest --count 5 --format raw").out, "1\n2\n3\n4\n5\n");
}

TEST_F(Tool, StatSaysHowTheFeedIsDoing) {
  start();
  shell("seq 5 | \"$leat\" pub --lines --ack durable --topic n" + feed());
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  const Outcome stat = run("stat --format json --sample 0" + feed());
  ASSERT_EQ(stat.status, 0) << stat.err;
  const json status = json::parse(stat.out);
  EXPECT_EQ(status["latest_sequence"], 5) << stat.out;
  EXPECT_EQ(status["durable_sequence"], 5);
  EXPECT_EQ(status["producers"].size(), 1U);
  EXPECT_EQ(status["consumers"].size(), 1U);
  EXPECT_EQ(status["consumers"][0]["lag_events"], 5);
  const Outcome text = run("stat --sample 0" + feed());
  EXPECT_NE(text.out.find("leat_process_tests"), std::string::npos) << text.out;
}

TEST_F(Tool, StatShowsSegmentsOfAnEarlierLifeAsLargeAsTheyAre) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--max-event-bytes", "4K");
  start();
  shell("seq 3000 | \"$leat\" pub --lines --topic n" + feed());
  ASSERT_EQ(broker_->terminate(), 0);
  const std::size_t segments = broker_->segments().size();
  ASSERT_GE(segments, 3U);
  broker_->set("--segment-bytes", "1M");
  start();
  const json status = json::parse(run("stat --format json --sample 0" + feed()).out);
  std::uint64_t bytes = 0;
  for (const auto& segment : broker_->segments()) bytes += std::filesystem::file_size(segment);
  EXPECT_EQ(status["segments"], broker_->segments().size());
  EXPECT_EQ(status["journal_bytes"], bytes) << "the files as they are, not as large as a new one";
  const Outcome text = run("stat --sample 0" + feed());
  EXPECT_NE(text.out.find(" in all, new ones of 1.0 MiB"), std::string::npos) << text.out;
}

TEST_F(Tool, KeepsANamedCursorForTailAndListsAndDropsIt) {
  start();
  shell("seq 5 | \"$leat\" pub --lines --topic n" + feed());
  EXPECT_EQ(run("tail" + feed() + "--cursor mine --from earliest --count 2 --format raw").out, "1\n2\n");
  EXPECT_EQ(run("tail" + feed() + "--cursor mine --count 2 --format raw").out, "3\n4\n");
  Outcome listed;
  do {
    listed = run("cursors --format json" + feed());  // written down within half a second
  } while (json::parse(listed.out)["cursors"].empty() || json::parse(listed.out)["cursors"][0]["sequence"] != 4);
  EXPECT_EQ(json::parse(listed.out)["cursors"][0]["name"], "mine");
  EXPECT_NE(run("cursors" + feed()).out.find("mine"), std::string::npos);
  const Outcome dropped = run("cursors --drop mine" + feed());
  EXPECT_EQ(dropped.status, 0) << dropped.err;
  do {
    listed = run("cursors --format json" + feed());
  } while (!json::parse(listed.out)["cursors"].empty());
  expect_one_line(run("cursors --drop mine" + feed()), 1, {"no cursor 'mine'", "leat cursors lists"});
}

TEST_F(Tool, SaysWhatIsWrongInOneLineAndEndsWithItsStatus) {
  expect_one_line(run("tail --feed nope"), 3, {"unknown feed 'nope'", "leatd --feed nope"});
  expect_one_line(run("pub --feed nope --topic t x"), 3, {"nope"});
  expect_one_line(run("tail --feed 'a b'"), 2, {"bad feed name 'a b'"});
  expect_one_line(run("tail --bad-option"), 2, {"leat tail --help"});
  expect_one_line(run("frobnicate"), 2, {"frobnicate", "leat --help"});
  start();
  expect_one_line(run("pub" + feed() + "--topic 'a b' x"), 2, {"bad topic 'a b'"});
  expect_one_line(run("tail" + feed() + "--from 1x"), 2, {"1x"});
  expect_one_line(run("tail" + feed() + "--filter 'a.>.b'"), 2, {"a.>.b", "not the last token"});
  const Outcome closed = shell("\"$leat\" tail --from earliest --count 1" + feed() + "--timeout 0.05 >&-");
  EXPECT_NE(closed.status, 0);
  EXPECT_EQ(run("--help").status, 0);
  EXPECT_EQ(run("tail --help").status, 0);
}

}  // namespace
}  // namespace leat::test
