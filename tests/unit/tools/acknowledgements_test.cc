// What the reader of `leat tail --ack line` may say back.
#include "tools/leat/acknowledgements.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace leat::tool {
namespace {

AckLedger ledger_of(std::initializer_list<std::uint64_t> sequences) {
  AckLedger ledger;
  for (const std::uint64_t sequence : sequences) ledger.note_printed({.epoch = 7, .sequence = sequence});
  return ledger;
}

TEST(AckLedger, TakesAnEmptyLineForTheNextEventInOrder) {
  AckLedger ledger = ledger_of({2, 5, 9});
  EXPECT_FALSE(ledger.acknowledged());
  for (const char* line : {"", "\r", " \t"}) ASSERT_TRUE(ledger.take_line(line).ok());
  EXPECT_EQ(ledger.acknowledged()->sequence, 9U);
  EXPECT_EQ(ledger.acknowledged()->epoch, 7U);
  EXPECT_EQ(ledger.waiting(), 0U);
}

TEST(AckLedger, TakesASequenceForAllThatWasPrintedUpToIt) {
  AckLedger ledger = ledger_of({2, 5, 9});
  ASSERT_TRUE(ledger.take_line("5").ok());
  EXPECT_EQ(ledger.acknowledged()->sequence, 5U);
  EXPECT_EQ(ledger.waiting(), 1U);
  ASSERT_TRUE(ledger.take_line("9\r").ok());
  EXPECT_EQ(ledger.waiting(), 0U);
}

TEST(AckLedger, RefusesWhatIsOfNoPrintedEventAndMovesNothing) {
  for (const char* line : {"1", "3", "10", "x", "5 9", "-2", "+2", "2.0", "18446744073709551616", "{\"sequence\":2}"}) {
    AckLedger ledger = ledger_of({2, 5, 9});
    const auto taken = ledger.take_line(line);
    ASSERT_FALSE(taken.ok()) << line;
    EXPECT_NE(taken.error().message.find(line), std::string::npos) << taken.error().message;
    EXPECT_NE(taken.error().message.find("2 to 9"), std::string::npos)
        << "what is waited for: " << taken.error().message;
    EXPECT_FALSE(ledger.acknowledged()) << line;
    EXPECT_EQ(ledger.waiting(), 3U);
  }
  AckLedger ledger = ledger_of({2});
  ASSERT_TRUE(ledger.take_line("").ok());
  EXPECT_FALSE(ledger.take_line("").ok()) << "one line too many";
  EXPECT_FALSE(ledger.take_line("2").ok()) << "twice";
}

class AckPipe : public testing::Test {
 protected:
  AckPipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_ = ends[0];
    write_ = ends[1];
  }
  ~AckPipe() override {
    ::close(read_);
    if (write_ >= 0) ::close(write_);
  }
  void say(const std::string& text) {
    ASSERT_EQ(::write(write_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end() {
    ::close(write_);
    write_ = -1;
  }
  int read_ = -1, write_ = -1;
};

TEST_F(AckPipe, IsReadInLinesHoweverTheyArrive) {
  AckReader reader(read_);
  for (std::uint64_t i = 1; i <= 30; ++i) reader.ledger().note_printed({.epoch = 1, .sequence = i});
  ASSERT_TRUE(reader.listen({}).ok()) << "nothing there yet";
  say("1");
  ASSERT_TRUE(reader.listen({}).ok());
  EXPECT_FALSE(reader.ledger().acknowledged()) << "half a line says nothing";
  say("2\n\n2");
  ASSERT_TRUE(reader.listen({}).ok());
  EXPECT_EQ(reader.ledger().acknowledged()->sequence, 13U);
  end();
  ASSERT_TRUE(reader.listen({}).ok());
  EXPECT_TRUE(reader.ended());
  EXPECT_EQ(reader.ledger().acknowledged()->sequence, 13U)
      << "what a killed reader had not written whole acknowledges nothing";
}

TEST_F(AckPipe, WithALineWithoutEndIsRefused) {
  AckReader reader(read_);
  reader.ledger().note_printed({.epoch = 1, .sequence = 1});
  say(std::string(1000, '1'));
  EXPECT_FALSE(reader.listen({}).ok());
}

TEST_F(AckPipe, WhatCameBeforeAWrongLineCounts) {
  AckReader reader(read_);
  for (std::uint64_t i = 1; i <= 3; ++i) reader.ledger().note_printed({.epoch = 1, .sequence = i});
  say("2\nnonsense\n3\n");
  EXPECT_FALSE(reader.listen({}).ok());
  EXPECT_EQ(reader.ledger().acknowledged()->sequence, 2U);
}

}  // namespace
}  // namespace leat::tool
