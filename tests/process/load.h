// Several producers and consumers at work while a test does something to the broker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "process/helpers/words.h"
#include "support/broker_test.h"
#include "support/event_checker.h"

namespace leat::test {

/// A BrokerTest with helpers that publish and check generated events.
class LoadTest : public BrokerTest {
 protected:
  /// Starts a producer helper; extra arguments as in helpers/generate.cc.
  void add_producer(std::vector<std::string> extra = {}, std::vector<std::string> environment = {});
  void add_consumer(std::vector<std::string> extra = {});
  /// Returns when all helpers so far are connected.
  void wait_until_connected();

  /// Events whose publish() has returned ok.
  [[nodiscard]] std::uint64_t accepted() const;
  [[nodiscard]] std::uint64_t delivered(std::size_t consumer) const {
    return (*page_)[kDeliveredWord + consumer].load();
  }
  void wait_for_accepted(std::uint64_t count) const;

  /// Ends the producers, lets the consumers come to the end, and expects that every helper found all right.
  void finish_producers();
  void finish_consumers();
  /// Expects that the journal holds exactly what was accepted, in order.
  void check_journal();

  std::uint64_t max_payload_ = 512;
  std::vector<ChildProcess> producers_;
  std::vector<ChildProcess> consumers_;

 private:
  std::vector<std::string> common(std::size_t index) const;
};

}  // namespace leat::test
