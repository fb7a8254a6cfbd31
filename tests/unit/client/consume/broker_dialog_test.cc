// Questions to the broker and its answers, on time and late; the broker is the other end of a pair of sockets.
#include "client-lib/consume/broker_dialog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "journal/read/journal_files.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::client {
namespace {

using namespace internal;

class ADialog : public ::testing::Test {
 protected:
  ADialog() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    broker = UniqueFd(ends[1]);
    Connection connection;
    connection.socket = UniqueFd(ends[0]);
    dialog.begin(std::move(connection));
    dialog.on_late_answer([this](const CursorMessage& said) { late.push_back(said.header.reserved); });
  }
  std::uint16_t post() {
    CursorMessage question{};
    question.header = make_header(MessageType::save_cursor, sizeof question);
    return dialog.post(question.header);
  }
  void answer(std::uint16_t number, std::uint64_t sequence = 0) {
    CursorMessage said{};
    said.header = make_header(MessageType::cursor_answer, sizeof said);
    said.header.reserved = number;
    said.sequence = sequence;
    ASSERT_TRUE(send_message(broker.get(), &said, sizeof said).ok());
  }
  Result<CursorMessage> ask() {
    CursorMessage question{};
    question.header = make_header(MessageType::take_cursor, sizeof question);
    Received received;
    if (auto done = dialog.ask(question.header, MessageType::cursor_answer, sizeof question, received); !done) {
      return done.error();
    }
    CursorMessage said;
    std::memcpy(&said, received.bytes.data(), sizeof said);
    return said;
  }

  UniqueFd broker;
  BrokerDialog dialog;
  std::vector<std::uint16_t> late;
};

TEST_F(ADialog, TakesLateAnswersForTheirQuestionsAndNotForTheNextOne) {
  const std::uint16_t first = post();
  const std::uint16_t second = post();
  answer(first);
  std::thread at_the_other_end([&] {
    Received asked;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(receive_message(broker.get(), asked, -1).ok());
    MessageHeader header;
    std::memcpy(&header, asked.bytes.data(), sizeof header);
    answer(second, 6);  // the question is on its way already
    answer(header.reserved, 7);
  });
  const CursorMessage said = test::must(ask());
  at_the_other_end.join();
  EXPECT_EQ(said.sequence, 7u);
  EXPECT_EQ(late, std::vector<std::uint16_t>{first}) << "what is passed over while an answer is waited for is nobody's";
  EXPECT_FALSE(dialog.has_gone());
}

TEST_F(ADialog, GoesOnAfterALateAnswer) {
  const std::uint16_t question = post();
  EXPECT_FALSE(dialog.has_gone());
  answer(question);
  EXPECT_FALSE(dialog.has_gone()) << "what came was owed";
  EXPECT_EQ(late, std::vector<std::uint16_t>{question});
}

TEST_F(ADialog, EndsWithWordsThatNobodyAskedFor) {
  EXPECT_FALSE(dialog.has_gone());
  answer(1);
  EXPECT_TRUE(dialog.has_gone());
}

TEST_F(ADialog, EndsWithTheBroker) {
  broker.reset();
  EXPECT_TRUE(dialog.has_gone());
  EXPECT_EQ(ask().error().code, ErrorCode::closed);
  EXPECT_FALSE(dialog.open_file("feed").valid());
  EXPECT_EQ(errno, JournalFiles::kNobodyToAsk);
}

TEST_F(ADialog, IsBehindWhenTooManyAnswersAreOwedAndAnewOnAnotherConnection) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(dialog.is_behind());
    (void)post();
  }
  EXPECT_TRUE(dialog.is_behind());
  dialog.begin({});
  EXPECT_FALSE(dialog.is_behind());
  EXPECT_TRUE(dialog.has_gone()) << "there is none";
}

}  // namespace
}  // namespace leat::client
