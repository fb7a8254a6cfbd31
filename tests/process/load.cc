#include "process/load.h"

#include <thread>

namespace leat::test {

std::vector<std::string> LoadTest::common(std::size_t index) const {
  return {"index=" + std::to_string(index), "seed=" + std::to_string(test_seed()),
          "max=" + std::to_string(max_payload_)};
}

void LoadTest::add_producer(std::vector<std::string> extra, std::vector<std::string> environment) {
  auto arguments = common(producers_.size());
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  producers_.push_back(start_helper("producer", std::move(arguments), std::move(environment)));
}

void LoadTest::add_consumer(std::vector<std::string> extra) {
  auto arguments = common(consumers_.size());
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  consumers_.push_back(start_helper("consumer", std::move(arguments)));
}

void LoadTest::wait_until_connected() { page_->wait_for(kReadyWord, producers_.size() + consumers_.size()); }

std::uint64_t LoadTest::accepted() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < producers_.size(); ++i) sum += (*page_)[kAcceptedWord + i].load();
  return sum;
}

void LoadTest::wait_for_accepted(std::uint64_t count) const {
  while (accepted() < count) std::this_thread::sleep_for(milliseconds(1));
}

void LoadTest::finish_producers() {
  (*page_)[kStopWord].store(1);
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
}

void LoadTest::finish_consumers() {
  (*page_)[kTotalWord].store(accepted());
  for (ChildProcess& consumer : consumers_) EXPECT_EQ(consumer.wait(), 0) << helper_output();
}

void LoadTest::check_journal() {
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventChecker checker(test_seed(), {.max_bytes = max_payload_});
  checker.expect_sequence(1);
  EventView event;
  Poll found{};
  while ((found = reader->next(event)) == Poll::event) ASSERT_TRUE(checker.take(event)) << checker.error();
  ASSERT_EQ(found, Poll::empty) << reader->last_error().message;
  EXPECT_EQ(checker.count(), accepted());
  for (std::uint32_t i = 0; i < producers_.size(); ++i) {
    EXPECT_EQ(checker.count_of(i), (*page_)[kAcceptedWord + i].load()) << "producer " << i;
  }
}

}  // namespace leat::test
