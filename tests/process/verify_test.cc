// leat verify --history: what it says and how it ends.
#include <fstream>
#include <nlohmann/json.hpp>

#include "history/fact.h"
#include "process/load.h"

namespace leat::test {
namespace {

using history::Fact;
using history::FactKind;

class VerifyHistory : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::vector<Fact>& facts) {
    std::string text;
    for (const Fact& fact : facts) history::append_fact(text, fact);
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }
  int verify(std::vector<std::string> words, std::string& said) {
    words.insert(words.begin(), {LEAT_TEST_LEAT, "verify"});
    const std::string output = (directory_ / "output").string();
    std::filesystem::remove(output);
    ChildProcess leat({.arguments = std::move(words), .environment = {}, .output = output, .user = std::nullopt});
    const int status = leat.wait();
    said = read_file(output);
    return status;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_ = make_unique_directory(temporary_root(), "verify");
  std::string producer_ = write("p", {{.kind = FactKind::invoke, .at_ns = 1, .who = "p"},
                                      {.kind = FactKind::accepted, .at_ns = 2, .who = "p"}});
  std::string good_ = write("c", {{.kind = FactKind::start, .at_ns = 1, .who = "c", .has_after = true},
                                  {.kind = FactKind::received, .at_ns = 3, .who = "c", .sequence = 1, .from = "p"},
                                  {.kind = FactKind::end, .at_ns = 4, .who = "c", .latest = 1}});
  std::string bad_ = write("d", {{.kind = FactKind::start, .at_ns = 1, .who = "d", .has_after = true},
                                 {.kind = FactKind::end, .at_ns = 4, .who = "d", .latest = 0}});
};

TEST_F(VerifyHistory, EndsWithZeroWhenAllPromisesWereKept) {
  std::string said;
  EXPECT_EQ(verify({"--history", producer_, good_}, said), 0) << said;
  EXPECT_NE(said.find("1 accepted"), std::string::npos) << said;
  EXPECT_EQ(verify({"--format", "json", "--history", producer_, good_}, said), 0) << said;
  const auto report = nlohmann::json::parse(said);
  EXPECT_TRUE(report["good"]);
  EXPECT_EQ(report["received"], 1);
  EXPECT_TRUE(report["faults"].empty());
}

TEST_F(VerifyHistory, EndsWithNineAndNamesTheFaultWhenOneWasBroken) {
  std::string said;
  EXPECT_EQ(verify({"--history", producer_, bad_}, said), 9) << said;
  EXPECT_NE(said.find("lost_accepted: event 0 of p"), std::string::npos) << said;
  EXPECT_EQ(verify({"--format", "json", "--history", producer_, bad_}, said), 9) << said;
  const auto report = nlohmann::json::parse(said);
  EXPECT_FALSE(report["good"]);
  EXPECT_EQ(report["faults"]["lost_accepted"], 1);
  EXPECT_EQ(report["findings"].size(), 1U);
}

TEST_F(VerifyHistory, EndsWithOneAndNamesTheLineWhenAHistoryCannotBeRead) {
  std::string said;
  std::ofstream(directory_ / "d", std::ios::app) << "{\"fact\":\"sent\",\"at\":5}\n";
  EXPECT_EQ(verify({"--history", bad_}, said), 1) << said;
  EXPECT_NE(said.find("d, line 3: "), std::string::npos) << said;
  EXPECT_EQ(verify({"--history", (directory_ / "none").string()}, said), 1) << said;
  EXPECT_NE(said.find("none"), std::string::npos) << said;
  EXPECT_EQ(verify({}, said), 2) << said;
}

}  // namespace
}  // namespace leat::test
