// The loop of tail and replay with a source of the test's own: how it ends when its reader has gone.
#include "tools/leat/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace leat::tool {
namespace {

/// Gives an event at each look, or none at all; gives up, so that a test of a loop that does not end fails.
class EndlessSource final : public EventSource {
 public:
  static constexpr int kPatience = 50'000'000;
  explicit EndlessSource(bool silent) : silent_(silent) {}
  Poll poll(EventView& out) override {
    if (++looks_ > kPatience) return give_up();
    if (silent_) return Poll::empty;
    out = {.sequence = static_cast<std::uint64_t>(looks_), .topic = "n", .payload = "x", .cursor = {}};
    return Poll::event;
  }
  Poll wait(EventView& out, std::chrono::nanoseconds /*slice*/) override {
    waits_ += 1;
    return waits_ > 1000 ? give_up() : poll(out);
  }
  [[nodiscard]] const Reset& last_reset() const override { return reset_; }
  [[nodiscard]] const Error& last_error() const override { return error_; }
  void note_printed(const EventView& /*event*/) override { ++printed; }
  [[nodiscard]] std::uint64_t unacknowledged() const override { return owed; }
  std::uint64_t owed = 0;
  std::uint64_t printed = 0;

 private:
  Poll give_up() {
    error_ = {ErrorCode::io_error, "the loop has not missed its reader"};
    return Poll::error;
  }
  bool silent_;
  int looks_ = 0;
  int waits_ = 0;
  Reset reset_;
  Error error_;
};

class LoopWithoutReader : public testing::Test {
 protected:
  LoopWithoutReader() {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::close(ends[0]);  // the reader has gone
    write_ = ends[1];
  }
  ~LoopWithoutReader() override { ::close(write_); }
  int run(EventSource& source, const char* filter) {
    Output output(write_);
    return print_events(source, EventPrinter({.format = Format::raw}), output, {.filter = *TopicFilter::parse(filter)});
  }
  int write_ = -1;
};

TEST_F(LoopWithoutReader, EndsWhileEventsCome) {
  EndlessSource source(false);
  EXPECT_EQ(run(source, ">"), 0);
}

TEST_F(LoopWithoutReader, EndsWhileNothingComes) {
  EndlessSource source(true);
  EXPECT_EQ(run(source, ">"), 0);
}

TEST_F(LoopWithoutReader, EndsWhileOnlyEventsComeThatTheFilterLeavesOut) {
  EndlessSource source(false);
  EXPECT_EQ(run(source, "none.>"), 0);
  EXPECT_EQ(source.printed, 0U);
}

TEST_F(LoopWithoutReader, EndsWithOneIfTheReaderOwesAnswers) {
  for (const bool silent : {true, false}) {
    EndlessSource source(silent);
    source.owed = 1;
    EXPECT_EQ(run(source, silent ? ">" : "none.>"), 1);
  }
}

}  // namespace
}  // namespace leat::tool
