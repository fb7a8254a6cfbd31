// Topic rules and filters.
#include <leat/topic_filter.h>

#include <gtest/gtest.h>

#include "record/record.h"
#include "record/topic_memo.h"

namespace leat {
namespace {

TEST(Topic, FollowsItsRules) {
  for (const std::string& good : {std::string("a"), std::string("session.created"), std::string("a.b.c.d"),
                                  std::string("!#$%&'()+,-/09:;<=?@AZ[]^_`az{|}~"), std::string(255, 'x')}) {
    EXPECT_TRUE(check_topic(good).ok()) << good;
  }
  using namespace std::string_literals;
  for (const std::string& bad : {""s, "."s, ".a"s, "a."s, "a..b"s, "a b"s, "a*"s, "*"s, "a.>"s, "a\tb"s, "a\0b"s,
                                 "a\x7f"s, "\xc3\xa4"s, std::string(256, 'x')}) {
    const auto checked = check_topic(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::bad_topic);
  }
}

TEST(Topic, AllowsExactlyThePrintableBytesButSpaceAndTheWildcards) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string topic = {'a', static_cast<char>(byte), 'b'};
    const bool expected = byte > 0x20 && byte < 0x7f && byte != '*' && byte != '>';
    EXPECT_EQ(internal::topic_is_valid(topic), expected) << byte;
  }
}

// Whatever the memo remembers, it says what topic_is_valid says: each topic is followed by itself with one byte
// changed, at every place of every length.
TEST(TopicMemo, SaysOfEveryTopicWhatTheRulesSay) {
  internal::TopicMemo memo;
  EXPECT_FALSE(memo.valid(""));
  for (std::size_t length = 1; length <= 256; length += length < 40 ? 1 : 27) {
    const std::string good(length, 'x');
    for (std::size_t place = 0; place < length; ++place) {
      for (const char c : {'x', 'y', '.', ' ', '*', '\0'}) {
        EXPECT_EQ(memo.valid(good), internal::topic_is_valid(good)) << length;
        std::string changed = good;
        changed[place] = c;
        ASSERT_EQ(memo.valid(changed), internal::topic_is_valid(changed)) << length << " " << place << " " << int{c};
      }
    }
    ASSERT_EQ(memo.valid(good.substr(1)), internal::topic_is_valid(good.substr(1))) << length;
  }
  EXPECT_FALSE(memo.valid(""));
}

struct Row {
  const char* filter;
  const char* topic;
  bool matches;
};

TEST(TopicFilter, FollowsItsTable) {
  const Row rows[] =
      {{"a", "a", true},         {"a", "b", false},          {"a", "a.b", false},
       {"a", "aa", false},       {"a.b", "a.b", true},       {"a.b", "a", false},
       {"a.b", "a.b.c", false},  {"a.b", "a.bb", false},     {"*", "a", true},
       {"*", "a.b", false},      {"a.*", "a.b", true},       {"a.*", "a", false},
       {"a.*", "a.b.c", false},  {"*.b", "a.b", true},       {"*.b", "b", false},
       {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false},  {"a.*.c", "a.c", false},
       {"*.*", "a.b", true},     {"*.*", "a", false},        {">", "a", true},
       {">", "a.b.c", true},     {"a.>", "a.b", true},       {"a.>", "a.b.c", true},
       {"a.>", "a", false},      {"a.>", "b.a", false},      {"a.>", "ab.c", false},
       {"*.>", "a.b", true},     {"*.>", "a", false},        {"a.*.>", "a.b.c.d", true},
       {"a.*.>", "a.b", false},  {"a.b.>", "a.bc.d", false}, {"session.*.done", "session.42.done", true}};
  for (const Row& row : rows) {
    const auto filter = TopicFilter::parse(row.filter);
    ASSERT_TRUE(filter.ok()) << row.filter;
    EXPECT_EQ(filter->matches(row.topic), row.matches) << row.filter << " on " << row.topic;
  }
}

TEST(TopicFilter, RefusesWhatIsNoPattern) {
  for (const char* const bad : {"", ".", "a.", ".a", "a..b", ">.a", "a.>.b", "a*", "*a", "a.b>", ">>", "**", "a b"}) {
    const auto filter = TopicFilter::parse(bad);
    ASSERT_FALSE(filter.ok()) << bad;
    EXPECT_EQ(filter.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(filter.error().message.find(bad), std::string::npos) << "the message names the pattern";
  }
}

TEST(TopicFilter, MatchesEverythingByDefault) {
  EXPECT_TRUE(TopicFilter{}.matches_all());
  EXPECT_TRUE(TopicFilter{}.matches("anything.at.all"));
  EXPECT_TRUE(TopicFilter::parse(">")->matches_all());
  EXPECT_FALSE(TopicFilter::parse("*")->matches_all());
}

}  // namespace
}  // namespace leat
