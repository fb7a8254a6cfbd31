// Histories as files: lines, unfinished ones, several files as one.
#include "history/source.h"

#include <gtest/gtest.h>

#include <leat/header.h>

#include <fstream>

#include "history/checker.h"
#include "history/content_hash.h"
#include "history/merge.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::history {
namespace {

std::string line_of(const Fact& fact) {
  std::string line;
  append_fact(line, fact);
  return line;
}

class Histories : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    const auto path = directory_.path() / name;
    std::ofstream(path, std::ios::app | std::ios::binary) << text;
    return path;
  }
  Source open(const std::filesystem::path& path, bool followed = false) {
    auto source = Source::open(path, followed);
    if (!source) throw std::runtime_error(source.error().message);
    return std::move(*source);
  }
  test::TempDirectory directory_;
};

TEST(Facts, EveryKindComesBackAsItWasWritten) {
  for (int kind = 0; kind <= static_cast<int>(FactKind::tick); ++kind) {
    const Fact fact{.kind = static_cast<FactKind>(kind),
                    .at_ns = 7,
                    .who = "w",
                    .number = 9,
                    .hash = 0xabc,
                    .place = 2,
                    .batch = 3,
                    .sequence = 4,
                    .epoch = 0xffffffffffffffff,
                    .from = "f",
                    .durable_level = true,
                    .has_after = true,
                    .after = 5,
                    .cursor = "k",
                    .what = "expired",
                    .wanted = 1,
                    .earliest = 2,
                    .latest = 8};
    const std::string line = line_of(fact);
    ASSERT_TRUE(line.ends_with("}\n"));
    const auto parsed = parse_fact(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(parsed.ok()) << line << parsed.error().message;
    EXPECT_EQ(line_of(*parsed), line);
  }
}

TEST(Facts, ALineThatMakesNoSenseIsAnErrorThatSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not a JSON object"},
      {"null", "not a JSON object"},
      {R"({"fact":"sent","at":1})", "\"fact\""},
      {R"({"fact":"tick"})", "\"at\""},
      {R"({"at":1})", "\"fact\""},
      {R"({"fact":"accepted","at":1,"number":1})", "\"who\""},
      {R"({"fact":"tick","at":-1})", "\"at\""},
      {R"({"fact":"tick","at":99999999999999999999})", "\"at\""},
      {R"({"fact":"tick","at":1,"colour":3})", "\"colour\""},
      {R"({"fact":"tick","at":1} x)", "does not end"},
      {R"({"fact":"tick","at":1)", "does not end"},
      {R"({"fact":"accepted","at":1,"who":"a\n"})", "\"who\""},
      {R"({"fact":"received","at":1,"who":"c","sequence":1})", "\"from\""},
      {R"({"fact":"received","at":1,"who":"c","from":"p","sequence":0})", "sequence of 0"},
      {R"({"fact":"invoke","at":1,"who":"p","number":1,"hash":"12"})", "\"hash\""},
      {R"({"fact":"invoke","at":1,"who":"p","number":5,"place":3,"batch":3})", "\"place\""},
  };
  for (const auto& [line, part] : cases) {
    const auto parsed = parse_fact(line);
    ASSERT_FALSE(parsed.ok()) << line;
    EXPECT_NE(parsed.error().message.find(part), std::string::npos) << line << ": " << parsed.error().message;
  }
}

TEST(Facts, EveryTruncationOfALineIsAnError) {
  const std::string line =
      line_of({.kind = FactKind::received, .at_ns = 7, .who = "w", .number = 9, .sequence = 4, .from = "f"});
  for (std::size_t length = 0; length + 1 < line.size(); ++length) {
    EXPECT_FALSE(parse_fact(std::string_view(line).substr(0, length)).ok()) << length;
  }
}

TEST(ContentHash, KnowsFieldsApart) {
  struct Fields {
    std::string_view topic, key, message_id, payload;
    std::vector<leat::Header> headers = {};
    bool tombstone = false;
  };
  EXPECT_NE(content_hash(Fields{"a", "b", "", ""}), content_hash(Fields{"ab", "", "", ""}));
  EXPECT_NE(content_hash(Fields{"a", "", "b", ""}), content_hash(Fields{"a", "b", "", ""}));
  EXPECT_EQ(content_hash(Fields{"a", "b", "c", "d"}), content_hash(Fields{"a", "b", "c", "d"}));
  const Fields plain = {"a", "b", "c", ""};
  const Fields with_header = {"a", "b", "c", "", {{"n", "v"}}};
  const Fields deleted = {"a", "b", "c", "", {}, true};
  EXPECT_NE(content_hash(plain), content_hash(with_header));
  EXPECT_NE(content_hash(plain), content_hash(deleted));
  EXPECT_NE(content_hash(with_header), content_hash(Fields{"a", "b", "c", "", {{"n", "w"}}}));
}

TEST_F(Histories, TheUnfinishedLineOfAKilledProcessIsLeftOut) {
  const std::string whole = line_of({.kind = FactKind::tick, .at_ns = 1});
  Source source = open(write("h", whole + whole.substr(0, 9)));
  Fact fact;
  EXPECT_EQ(source.next(fact), Source::Read::fact);
  EXPECT_EQ(source.next(fact), Source::Read::end);
  EXPECT_EQ(source.unfinished_bytes(), 9U);
}

TEST_F(Histories, ABadLineIsNamed) {
  const auto path = write("h", line_of({.kind = FactKind::tick, .at_ns = 5}) + "nonsense\n");
  Source source = open(path);
  Fact fact;
  EXPECT_EQ(source.next(fact), Source::Read::fact);
  EXPECT_EQ(source.next(fact), Source::Read::error);
  EXPECT_NE(source.error().message.find(path.string() + ", line 2: "), std::string::npos) << source.error().message;
  Source back =
      open(write("b", line_of({.kind = FactKind::tick, .at_ns = 5}) + line_of({.kind = FactKind::tick, .at_ns = 4})));
  EXPECT_EQ(back.next(fact), Source::Read::fact);
  EXPECT_EQ(back.next(fact), Source::Read::error);
  Source endless = open(write("e", std::string(Source::kMaxLineBytes + 1, 'x')));
  EXPECT_EQ(endless.next(fact), Source::Read::error);
}

TEST_F(Histories, AFollowedHistoryGoesOnWithWhatComesAndInItsNextFiles) {
  const auto path = write("h", "");
  Source source = open(path, true);
  Fact fact;
  EXPECT_EQ(source.next(fact), Source::Read::nothing);
  const std::string line = line_of({.kind = FactKind::tick, .at_ns = 1});
  write("h", line.substr(0, 5));
  EXPECT_EQ(source.next(fact), Source::Read::nothing);
  write("h", line.substr(5));
  EXPECT_EQ(source.next(fact), Source::Read::fact);
  write("h", line_of({.kind = FactKind::tick, .at_ns = 2}));
  write("h.1", line_of({.kind = FactKind::tick, .at_ns = 3}));
  EXPECT_EQ(source.next(fact), Source::Read::fact);
  EXPECT_EQ(fact.at_ns, 2);
  EXPECT_EQ(source.next(fact), Source::Read::fact);
  EXPECT_EQ(fact.at_ns, 3);
  EXPECT_FALSE(std::filesystem::exists(path)) << "read, so removed";
  EXPECT_EQ(source.next(fact), Source::Read::nothing);
  source.stop_following();
  EXPECT_EQ(source.next(fact), Source::Read::end);
}

TEST_F(Histories, SeveralAreMergedInTheOrderOfTime) {
  Merge merge;
  std::string odd;
  std::string even;
  for (std::int64_t i = 1; i <= 1000; ++i) (i % 3 == 0 ? odd : even) += line_of({.kind = FactKind::tick, .at_ns = i});
  merge.add(open(write("odd", odd)));
  merge.add(open(write("even", even)));
  Source& live = merge.add(open(write("live", ""), true));
  Fact fact;
  EXPECT_EQ(merge.next(fact), Source::Read::nothing) << "the live one may hold the earliest";
  write("live", line_of({.kind = FactKind::tick, .at_ns = 500}));
  std::int64_t last = 0;
  int facts = 0;
  for (; merge.next(fact) == Source::Read::fact; ++facts) {
    EXPECT_GE(fact.at_ns, last);
    last = fact.at_ns;
  }
  EXPECT_EQ(last, 500);
  live.stop_following();
  for (; merge.next(fact) == Source::Read::fact; ++facts) last = fact.at_ns;
  EXPECT_EQ(facts, 1001);
  EXPECT_EQ(last, 1000);
  EXPECT_EQ(merge.next(fact), Source::Read::end);
}

TEST_F(Histories, AtEqualTimesWhatWasBegunComesBeforeWhatWasReceived) {
  Merge merge;
  merge.add(
      open(write("c", line_of({.kind = FactKind::start, .at_ns = 1, .who = "c"}) +
                          line_of({.kind = FactKind::received, .at_ns = 2, .who = "c", .sequence = 1, .from = "p"}))));
  merge.add(open(write("p", line_of({.kind = FactKind::invoke, .at_ns = 2, .who = "p"}))));
  Checker checker;
  Fact fact;
  while (merge.next(fact) == Source::Read::fact) checker.take(fact);
  EXPECT_TRUE(checker.finish().good()) << checker.report().to_text();
}

}  // namespace
}  // namespace leat::history
