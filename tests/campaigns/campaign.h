// Producers and consumers at work that write their histories, and the judge of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "campaigns/words.h"
#include "history/checker.h"
#include "history/merge.h"
#include "support/broker_test.h"
#include "support/history_writer.h"
#include "support/number.h"
#include "support/payload.h"

namespace leat::test {

class Campaign : public BrokerTest {
 protected:
  /// A client that may be killed and started again: each life has a name and a history of its own.
  struct Client {
    std::string helper;  // "publisher" or "subscriber"
    std::string name;
    std::vector<std::string> arguments;
    std::uint64_t lives = 0;
    ChildProcess process;
    std::string history;
    bool stopped = false;
  };

  void SetUp() override;

  /// Adds a client; it is not started.
  Client& add(const std::string& helper, const std::string& name, std::vector<std::string> arguments);
  /// Starts the next life of a client.
  void start_client(std::size_t client);
  [[nodiscard]] bool is_connected(std::size_t client) const { return (*page_)[kWaitingWord + client].load() == 0; }
  void wait_until_all_are_connected();

  [[nodiscard]] std::uint64_t accepted() const;
  /// Waits until the broker says that its newest sequence no longer moves, and returns it.
  std::uint64_t settled_sequence();
  /// Ends the producers, then the consumers at the end of the feed; expects that all went well.
  void finish_clients();
  /// Reads all of the journal into a history of its own.
  void write_journal_history();
  /// A fact about the broker, from the campaign.
  void tell_broker(std::string_view what) { own_history_->tell({.kind = history::FactKind::broker, .what = what}); }

  [[nodiscard]] std::filesystem::path histories() const { return broker_->scratch() / "histories"; }
  /// Judges all histories and prints the counts. A fault fails the test.
  history::Report judge(const history::CheckerOptions& options);
  void expect_good(const history::Report& report);

  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<HistoryWriter> own_history_;
  std::vector<std::string> history_files_;
  std::uint64_t epoch_ = 0;
};

}  // namespace leat::test
