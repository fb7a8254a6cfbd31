// The messages about the journal's files and named cursors, frozen like those in tests/unit/shm/layout_test.cc.
#include "shm/control/control_layout.h"
#include "shm/layout_version.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

TEST(ControlLayout, OfWhatAConsumerAsksIsThatOfVersion1) {
  ASSERT_EQ(kSharedLayoutVersion, 3u) << "a new version: write these numbers anew";
  EXPECT_EQ(sizeof(OpenFileMessage), 80u);
  EXPECT_EQ(offsetof(OpenFileMessage, name), 16u);
  EXPECT_EQ(sizeof(FileOpenedMessage), 24u);
  EXPECT_EQ(offsetof(FileOpenedMessage, status), 16u);
  EXPECT_EQ(sizeof(CursorMessage), 616u);
  EXPECT_EQ(offsetof(CursorMessage, status), 16u);
  EXPECT_EQ(offsetof(CursorMessage, known), 20u);
  EXPECT_EQ(offsetof(CursorMessage, epoch), 24u);
  EXPECT_EQ(offsetof(CursorMessage, sequence), 32u);
  EXPECT_EQ(offsetof(CursorMessage, name), 40u);
  EXPECT_EQ(offsetof(CursorMessage, text), 104u);
}

TEST(ControlLayout, NumbersItsMessagesAsInVersion1) {
  EXPECT_EQ(static_cast<int>(MessageType::hello), 1);
  EXPECT_EQ(static_cast<int>(MessageType::welcome), 2);
  EXPECT_EQ(static_cast<int>(MessageType::refresh), 3);
  EXPECT_EQ(static_cast<int>(MessageType::refreshed), 4);
  EXPECT_EQ(static_cast<int>(MessageType::open_file), 5);
  EXPECT_EQ(static_cast<int>(MessageType::file_opened), 6);
  EXPECT_EQ(static_cast<int>(MessageType::take_cursor), 7);
  EXPECT_EQ(static_cast<int>(MessageType::save_cursor), 8);
  EXPECT_EQ(static_cast<int>(MessageType::drop_cursor), 9);
  EXPECT_EQ(static_cast<int>(MessageType::cursor_answer), 10);
}

}  // namespace
}  // namespace leat::internal
