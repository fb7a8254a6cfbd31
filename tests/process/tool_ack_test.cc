// leat tail --ack line and leat pub --acks: what was done is what is said to be done, whoever dies in the middle.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "process/spoil.h"
#include "process/tool.h"

namespace leat::test {
namespace {

using nlohmann::json;

class ToolAck : public Tool {
 protected:
  void publish_numbers(int count) {
    shell("seq " + std::to_string(count) + " | \"$leat\" pub --lines --topic n" + feed());
  }

  // `leat tail --cursor c --ack line OPTIONS | reader`, the reader's answers on a fifo. The reader is a shell script's
  // body; it reads events from standard input, answers on descriptor 3, and may write into "$handled".
  Outcome tail_with(const std::string& options, const std::string& reader) {
    const std::string scratch = broker_->scratch().string();
    const std::string body = "handled='" + scratch + "/handled'; exec 3>'" + scratch + "/answers'\n" + reader;
    std::ofstream(broker_->scratch() / "reader.sh") << body << '\n';
    return shell("cd '" + scratch + "'; rm -f answers; mkfifo answers; { \"$leat\" tail" + feed() +
                 "--cursor c --from earliest --format raw --ack line " + options +
                 " <answers; echo $? >status; } | sh reader.sh; "
                 "exit \"$(cat status)\"");
  }
  // As run(), with files of its own, while another run() goes on.
  std::string run_quietly(const std::string& arguments) {
    const auto out = broker_->scratch() / "quiet.out";
    ChildProcess child({.arguments = {"/bin/sh", "-c",
                                      "exec '" LEAT_TEST_LEAT "' " + arguments + feed() + "--runtime-dir '" +
                                          broker_->address().runtime_dir + "' --data-dir '" +
                                          broker_->address().data_dir + "' >'" + out.string() + "'"},
                        .environment = {},
                        .output = {},
                        .user = std::nullopt});
    EXPECT_EQ(child.wait(), 0);
    return slurp(out);
  }
  std::vector<int> handled() {
    std::ifstream file(broker_->scratch() / "handled");
    std::vector<int> numbers;
    for (int number = 0; file >> number;) numbers.push_back(number);
    return numbers;
  }
};

TEST_F(ToolAck, AReaderThatIsKilledInTheMiddleMissesNothing) {
  start();
  constexpr int kEvents = 60;
  publish_numbers(kEvents);
  // It handles seven events, answers for six of them, and is killed before it answers for the seventh.
  const std::string dying =
      "n=0; while read -r e; do echo $e >>$handled; n=$((n+1)); [ $n -lt 7 ] || kill -9 $$; echo >&3; done";
  const std::string patient = "while read -r e; do echo $e >>$handled; echo >&3; [ $e -lt 60 ] || exit 0; done";
  for (int round = 0; round < 5; ++round) {
    const Outcome died = tail_with("", dying);
    EXPECT_EQ(died.status, 1) << "what was not acknowledged is said";
    EXPECT_NE(died.err.find("come"), std::string::npos) << died.err;
    const std::vector<int> numbers = handled();
    ASSERT_EQ(numbers.size(), static_cast<std::size_t>(7 * (round + 1)));
    for (int i = 0; i < 7; ++i) {
      EXPECT_EQ(numbers[static_cast<std::size_t>(7 * round + i)], 6 * round + i + 1)
          << "the seventh comes again, nothing is skipped";
    }
  }
  EXPECT_EQ(tail_with("", patient).status, 0) << "all was acknowledged";
  std::map<int, int> times;
  for (const int number : handled()) ++times[number];
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kEvents));
  EXPECT_EQ(times.rbegin()->first, kEvents);
}

TEST_F(ToolAck, TheNextReaderGetsTheCursorOfOneThatDiedWhileNothingHappened) {
  start();
  publish_numbers(1);
  // Dead before it reads a second event, of which there is none: tail must find out by itself, or this never ends.
  for (const char* options : {"", "--filter 'none.>'"}) {
    tail_with(options, "kill -9 $$");
    const Outcome again =
        shell("echo 1 | \"$leat\" tail" + feed() + "--cursor c --from earliest --count 1 --format raw --ack line");
    EXPECT_EQ(again.err.find("in use"), std::string::npos) << again.err;
    if (std::string(options).empty()) {
      EXPECT_EQ(again.status, 0) << again.err;
      EXPECT_EQ(again.out, "1\n");
      publish_numbers(1);
    }
  }
}

TEST_F(ToolAck, ADeadReaderIsNoticedAmongEventsThatTheFilterLeavesOut) {
  start();
  std::atomic<bool> done{false};
  std::thread busy([&] {
    Producer producer = connect_producer();
    while (!done.load()) (void)producer.publish({.topic = "n", .payload = "x"});
  });
  const Outcome outcome = shell("\"$leat\" tail" + feed() + "--filter 'none.>' --cursor c | true");
  done = true;
  busy.join();
  EXPECT_EQ(outcome.status, 0);
}

TEST_F(ToolAck, AnswersBySequenceStandForAllBefore) {
  start();
  publish_numbers(9);
  EXPECT_EQ(tail_with("--count 5", "for i in 1 2 3 4 5; do read -r e; done; echo 5 >&3; cat >/dev/null").status, 0);
  EXPECT_EQ(tail_with("--count 1", "read -r e; echo $e >$handled; echo $e >&3; cat >/dev/null").status, 0);
  EXPECT_EQ(handled(), std::vector<int>{6});
}

TEST_F(ToolAck, AWrongAnswerEndsItAndMovesNothing) {
  start();
  publish_numbers(3);
  for (const char* wrong : {"99", "nonsense", "-1"}) {
    const Outcome outcome =
        tail_with("--count 2", "read -r e; read -r e; echo " + std::string(wrong) + " >&3; cat >/dev/null");
    expect_one_line(outcome, 1, {"acknowledgement", wrong, "1 to 2"});
  }
  tail_with("--count 1", "read -r e; echo $e >$handled; echo >&3; cat >/dev/null");
  EXPECT_EQ(handled(), std::vector<int>{1});
}

TEST_F(ToolAck, OptionsThatCannotWorkAreRefusedFirst) {
  start();
  expect_one_line(run("tail --ack line" + feed()), 2, {"--cursor"});
  expect_one_line(run("tail --cursor c --ack-fd 5" + feed()), 2, {"--ack line"});
  expect_one_line(run("tail --cursor c --ack line --ack-fd 1" + feed()), 2, {"--ack-fd 1"});
  expect_one_line(run("tail --cursor c --ack line --ack-fd 77" + feed()), 2, {"--ack-fd 77", "not open"});
  expect_one_line(shell("\"$leat\" tail --cursor c --ack line" + feed() + "</dev/null"), 1, {"at its end", "--ack-fd"});
}

TEST_F(ToolAck, PubTellsWhatBecameOfEachLineInOrder) {
  start();
  const std::string input =
      R"(printf '%s\n' '{"topic":"a","payload":"1"}' 'no json' '' '{"topic":"a","durable":false}' )"
      R"('{"topic":"b c"}' '{"topic":"a","payload":"2"}' | )";
  for (const std::string level : {"committed", "durable"}) {
    const Outcome outcome = shell(input + "\"$leat\" pub --ndjson --acks --keep-going --ack " + level + feed());
    EXPECT_EQ(outcome.status, 6) << outcome.err;
    std::istringstream lines(outcome.out);
    std::vector<json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(json::parse(line));
    ASSERT_EQ(objects.size(), 5U) << outcome.out;
    const int numbers[] = {1, 2, 4, 5, 6};
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(objects[i]["line"], numbers[i]);
    EXPECT_EQ(objects[4]["sequence"], objects[0]["sequence"].get<int>() + 1);
    EXPECT_EQ(objects[1]["error"], "invalid_argument");
    EXPECT_EQ(objects[2]["skipped"], "ephemeral");
    EXPECT_EQ(objects[3]["error"], "bad_topic");
    EXPECT_EQ(objects[0]["producer_sequence"], 1);
    EXPECT_EQ(objects[4]["producer_sequence"], 2);
  }
  const Outcome stopped = shell(input + "\"$leat\" pub --ndjson --acks" + feed());
  EXPECT_EQ(stopped.status, 6);
  EXPECT_EQ(std::count(stopped.out.begin(), stopped.out.end(), '\n'), 2) << "the bad line is the last";
  expect_one_line(run("pub --acks --topic t x" + feed()), 2, {"--acks"});
  expect_one_line(run("pub --acks --lines --ack accepted --topic t" + feed()), 2, {"--acks", "committed"});
}

TEST_F(ToolAck, PubTellsThemWhileItsInputStaysOpen) {
  start();
  // Each line is written only once the one before was acknowledged.
  const Outcome outcome =
      shell("cd '" + broker_->scratch().string() + "'; mkfifo lines; \"$leat\" pub --lines --acks --topic t" + feed() +
            "<lines >acked 2>/dev/null & exec 5>lines; for i in 1 2 3; do echo $i >&5; "
            "while [ \"$(wc -l <acked)\" -lt $i ]; do sleep 0.01; done; done; exec 5>&-; wait $!");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(slurp(broker_->scratch() / "acked").find("{\"line\":1,\"sequence\":1,"), 0U);
}

// `leat pub --ack accepted` with its input on a fifo: one line is in the feed, three more were accepted by a broker
// that is dead.
class ToolAccepted : public ToolAck {
 protected:
  void publish_under_two_brokers(const std::function<void()>& in_between) {
    const std::string fifo = (broker_->scratch() / "lines").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    std::thread pub([&] {
      outcome_ = shell("\"$leat\" pub --lines --keep-going --ack accepted --topic a.b" + feed() + "<'" + fifo + "'");
    });
    const int lines = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
    write_line(lines, "one");
    EXPECT_EQ(run_quietly("tail --from earliest --count 1 --format raw"), "one\n");
    broker_->kill9();
    for (const char letter : {'1', '2', '3'}) write_line(lines, std::string(3000, letter));
    int unread = 0;
    do {
      std::this_thread::sleep_for(milliseconds(100));  // and a moment to publish what was read last
    } while (::ioctl(lines, FIONREAD, &unread) == 0 && unread > 0);
    in_between();
    const auto started = broker_->start();
    ::close(lines);
    pub.join();
    ASSERT_TRUE(started.ok()) << started.error().message;
  }
  static void write_line(int fd, std::string text) {
    text += '\n';
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  Outcome outcome_;
};

TEST_F(ToolAccepted, WhatTheNextBrokerMakesOfItUnderOtherSettingsIsWhatPubSays) {
  start();
  publish_under_two_brokers([&] { broker_->set("--max-event-bytes", "1024"); });
  const std::uint64_t there = status().latest_sequence;
  const std::string said = std::to_string(there) + " published, " + std::to_string(4 - there) + " refused";
  EXPECT_NE(outcome_.err.find(said), std::string::npos) << outcome_.err;
  EXPECT_EQ(outcome_.status, there == 4 ? 0 : 6);
}

TEST_F(ToolAccepted, WhatTheNextBrokerRefusesIsCountedAndAStatusOfItsOwn) {
  start();
  publish_under_two_brokers([&] { spoil_accepted(*broker_, "arena-0-1", std::string(3000, '2')); });
  EXPECT_EQ(status().latest_sequence, 3U);
  EXPECT_NE(outcome_.err.find("3 published, 1 refused"), std::string::npos) << outcome_.err;
  EXPECT_EQ(outcome_.status, 6);
}

TEST_F(ToolAccepted, WhatIsLostWithTheRingIsNoSuccess) {
  start();
  publish_under_two_brokers([&] { std::filesystem::remove_all(broker_->runtime()); });
  EXPECT_LT(status().latest_sequence, 4U);
  EXPECT_NE(outcome_.status, 0) << outcome_.err;
  EXPECT_NE(outcome_.err.find("not acknowledged"), std::string::npos) << outcome_.err;
}

}  // namespace
}  // namespace leat::test
