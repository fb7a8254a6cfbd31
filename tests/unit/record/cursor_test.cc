// Cursors as text.
#include <leat/cursor.h>

#include <gtest/gtest.h>

namespace leat {
namespace {

TEST(Cursor, RoundTripsAsText) {
  for (const Cursor cursor : {Cursor{0, 0}, Cursor{1, 1}, Cursor{0xdeadbeefcafef00d, 42}, Cursor{~0ULL, ~0ULL}}) {
    const auto parsed = Cursor::parse(cursor.to_string());
    ASSERT_TRUE(parsed.ok()) << cursor.to_string();
    EXPECT_EQ(*parsed, cursor);
  }
  EXPECT_EQ((Cursor{0x1f, 7}.to_string()), "000000000000001f-7");
}

TEST(Cursor, RefusesEverythingElse) {
  for (const char* const bad :
       {"", "-", "1-1", "000000000000001f", "000000000000001f-", "000000000000001f-x", "000000000000001f-1x",
        "000000000000001f--1", "000000000000001f-+1", "000000000000001f- 1", " 00000000000001f-1", "00000000000001f-1",
        "0000000000000001f-1", "000000000000001g-1", "0x0000000000001f-1", "-00000000000001f-1", "000000000000001f_1",
        "000000000000001f-18446744073709551616", "000000000000001f-1\n"}) {
    const auto parsed = Cursor::parse(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace leat
