#include "campaigns/campaign.h"

#include <cstdio>
#include <thread>

namespace leat::test {

using history::FactKind;

void Campaign::SetUp() {
  BrokerTest::SetUp();
  std::filesystem::create_directories(histories());
  history_files_.push_back((histories() / "campaign").string());
  own_history_ = std::make_unique<HistoryWriter>(history_files_.back(), "campaign");
}

Campaign::Client& Campaign::add(const std::string& helper, const std::string& name,
                                std::vector<std::string> arguments) {
  auto& client = *clients_.emplace_back(std::make_unique<Client>());
  client.helper = helper;
  client.name = name;
  client.arguments = std::move(arguments);
  client.arguments.push_back("client=" + std::to_string(clients_.size() - 1));
  return client;
}

void Campaign::start_client(std::size_t index) {
  Client& client = *clients_[index];
  const std::string who = client.name + "." + std::to_string(++client.lives);
  client.history = (histories() / who).string();
  history_files_.push_back(client.history);
  auto arguments = client.arguments;
  arguments.insert(arguments.end(), {"who=" + who, "history=" + client.history, "epoch=" + std::to_string(epoch_),
                                     "seed=" + std::to_string(test_seed() * 1000 + index * 100 + client.lives)});
  (*page_)[kWaitingWord + index].store(1);
  client.process = start_helper(client.helper, std::move(arguments));
  client.stopped = false;
}

void Campaign::wait_until_all_are_connected() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    while (!is_connected(i) && clients_[i]->process.running()) std::this_thread::sleep_for(milliseconds(1));
  }
}

std::uint64_t Campaign::accepted() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < clients_.size(); ++i) sum += (*page_)[kAcceptedWord + i].load();
  return sum;
}

// What a killed producer left in its arena is taken before its slot is freed.
std::uint64_t Campaign::settled_sequence() {
  for (;;) {
    const FeedStatus now = status();
    if (now.producers.empty()) return now.latest_sequence;
    std::this_thread::sleep_for(milliseconds(5));
  }
}

void Campaign::finish_clients() {
  (*page_)[kStopWord].store(1);
  for (auto& client : clients_) {
    client->process.cont();
    if (client->helper != "publisher") continue;
    EXPECT_EQ(client->process.wait(), 0) << client->name;
  }
  (*page_)[kTotalWord].store(settled_sequence());
  for (auto& client : clients_) {
    if (client->helper != "subscriber") continue;
    EXPECT_EQ(client->process.wait(), 0) << client->name;
  }
}

void Campaign::write_journal_history() {
  history_files_.push_back((histories() / "journal").string());
  HistoryWriter writer(history_files_.back(), "journal");
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  writer.tell({.kind = FactKind::start, .has_after = true});
  EventView event;
  Poll found{};
  std::uint64_t last = 0;
  while ((found = reader->next(event)) == Poll::event) {
    writer.tell(received(event));
    last = event.sequence;
  }
  ASSERT_EQ(found, Poll::empty) << reader->last_error().message;
  writer.tell({.kind = FactKind::end, .latest = last});
}

history::Report Campaign::judge(const history::CheckerOptions& options) {
  history::Merge merge;
  for (const std::string& file : history_files_) {
    // A client that was killed before it began has no history.
    if (!std::filesystem::exists(file)) continue;
    auto source = history::Source::open(file);
    if (!source) throw std::runtime_error(source.error().message);
    merge.add(std::move(*source));
  }
  history::Checker checker(options);
  history::Fact fact;
  history::Source::Read read{};
  while ((read = merge.next(fact)) == history::Source::Read::fact) checker.take(fact);
  EXPECT_EQ(read, history::Source::Read::end) << merge.error().message;
  const history::Report report = checker.finish();
  expect_good(report);
  return report;
}

void Campaign::expect_good(const history::Report& report) {
  std::printf("  %s", report.to_text().c_str());
  EXPECT_TRUE(report.good()) << "repeat with LEAT_TEST_SEED=" << test_seed()
                             << "; judge again with leat verify --history " << histories().string() << "/*";
  EXPECT_EQ(report.undecided, 0U);
}

}  // namespace leat::test
