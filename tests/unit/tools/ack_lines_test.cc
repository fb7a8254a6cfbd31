// The lines of `leat pub --acks`: one for each line of input, in order, each once, each an object.
#include "tools/leat/ack_lines.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace leat::tool {
namespace {

using nlohmann::json;

std::string known(AckLines& lines) {
  std::string out;
  lines.append_known(out);
  return out;
}

TEST(AckLines, HoldBackWhatIsKnownTooEarly) {
  AckLines lines;
  for (const std::uint64_t line : {1, 2, 4}) lines.expect(line);
  lines.failed(4, {ErrorCode::bad_topic, "no good"});
  lines.reached(2, 11);
  EXPECT_EQ(known(lines), "");
  lines.published(1, 3, 8);
  lines.reached(1, 10);
  EXPECT_EQ(known(lines),
            "{\"line\":1,\"sequence\":10,\"producer_id\":3,\"producer_sequence\":8}\n"
            "{\"line\":2,\"sequence\":11}\n"
            "{\"line\":4,\"error\":\"bad_topic\",\"message\":\"no good\"}\n");
  EXPECT_EQ(known(lines), "") << "each once";
}

TEST(AckLines, TellTheAdviceInTheMessageAndApart) {
  AckLines lines;
  for (const std::uint64_t line : {1, 2}) lines.expect(line);
  lines.failed(1, {ErrorCode::too_large, "over the bound", "raise it"});
  lines.failed(2, {ErrorCode::too_large, "\xff", "no \xff"});
  EXPECT_EQ(known(lines),
            "{\"line\":1,\"error\":\"too_large\",\"message\":\"over the bound; raise it\",\"advice\":\"raise it\"}\n"
            "{\"line\":2,\"error\":\"too_large\",\"message\":\"\\\\xff; no \\\\xff\",\"advice\":\"no \\\\xff\"}\n");
}

TEST(AckLines, TellAFateOnce) {
  AckLines lines;
  lines.expect(1);
  lines.skipped(1);
  lines.reached(1, 5);
  lines.failed(1, {ErrorCode::refused, "late"});
  lines.failed(2, {ErrorCode::refused, "nobody asked"});
  EXPECT_EQ(known(lines), "{\"line\":1,\"skipped\":\"ephemeral\"}\n");
}

TEST(AckLines, SayOfTheRestThatItIsOpen) {
  AckLines lines;
  for (const std::uint64_t line : {1, 2, 3}) lines.expect(line);
  lines.reached(2, 7);
  lines.fail_rest({ErrorCode::pending, "not seen"});
  EXPECT_EQ(known(lines),
            "{\"line\":1,\"error\":\"pending\",\"message\":\"not seen\"}\n{\"line\":2,\"sequence\":7}\n"
            "{\"line\":3,\"error\":\"pending\",\"message\":\"not seen\"}\n");
}

TEST(AckLines, AreJsonWhateverTheMessageQuotes) {
  AckLines lines;
  lines.expect(1);
  lines.failed(1, {ErrorCode::bad_topic, "bad topic '\"\\\n\xff\xc3'"});
  const std::string text = known(lines);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(json::parse(text)["error"], "bad_topic");
}

}  // namespace
}  // namespace leat::tool
