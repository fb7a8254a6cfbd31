// The fixture of tests with a broker.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>

#include <leat/leat.h>

#include "support/broker_process.h"
#include "support/child_process.h"
#include "support/shared_page.h"
#include "support/watchdog.h"
#include "support/environment.h"

namespace leat::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Long enough for anything that must happen; waiting for it is not a measure of speed.
inline constexpr seconds kPatience{60};

/// Gives each test a BrokerProcess (not started) and a watchdog. At the end a running broker must stop cleanly, and its
/// log must hold no error that the test did not announce. After a failure all files are kept, and the place is printed.
class BrokerTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  /// After so long the watchdog ends the test. For tests whose size is set from outside.
  [[nodiscard]] virtual seconds time_limit() const { return seconds(180); }

  /// Starts the broker; the test ends here if that fails.
  void start();
  /// From here on, TearDown neither stops the broker cleanly nor minds how it ended.
  void expect_no_clean_stop() { clean_stop_ = false; }

  /// Waits until leatd's log, which a thread of its own writes, holds `text`.
  void wait_for_log(const std::string& text);

  Producer connect_producer(std::size_t arena_bytes = 0);
  Consumer connect_consumer(Start from = Start::earliest());
  FeedStatus status();

  /// Starts this test program as the named helper; see helper_main.h. Arguments are "name=value".
  ChildProcess start_helper(const std::string& helper, std::vector<std::string> arguments,
                            std::vector<std::string> environment = {}, std::optional<uid_t> user = std::nullopt);
  /// What helpers have printed, for failure messages.
  [[nodiscard]] std::string helper_output() const;

  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<SharedPage> page_;

 private:
  std::unique_ptr<Watchdog> watchdog_;
  bool clean_stop_ = true;
};

/// Takes the next event, or fails the test.
EventView take_event(Consumer& consumer);

/// Asserts an error's code and that its message holds each of `parts`.
template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, std::initializer_list<const char*> parts) {
  ASSERT_FALSE(result.ok()) << "expected " << error_name(code);
  EXPECT_EQ(error_name(result.error().code), error_name(code)) << result.error().message;
  for (const char* part : parts)
    EXPECT_NE(result.error().message.find(part), std::string::npos)
        << "no '" << part << "' in: " << result.error().message;
}

}  // namespace leat::test
