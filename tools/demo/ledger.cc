#include "tools/demo/ledger.h"

#include <algorithm>
#include <charconv>

#include "tools/demo/dpkg_line.h"

namespace leat::demo {
namespace {

void keep_first(std::string& fault, const std::string& text) {
  if (fault.empty()) fault = text;
}

// The 0-based line that a message id names; `none` when it names none.
std::size_t line_of(std::string_view message_id, std::size_t none) {
  std::size_t number = 0;
  const char* end = message_id.data() + message_id.size();
  const auto parsed = std::from_chars(message_id.data(), end, number);
  const bool good = parsed.ec == std::errc() && parsed.ptr == end && number >= 1 && number <= none;
  return good ? number - 1 : none;
}

Check verdict(std::string name, const std::string& fault, std::string numbers) {
  return {std::move(name), fault.empty(), fault.empty() ? std::move(numbers) : fault};
}

}  // namespace

Ledger::Ledger(const std::vector<std::string_view>& lines, const std::vector<ProducerProcess>& producers)
    : lines_(lines), producers_(producers), accounts_(producers.size()), seen_(lines.size(), false) {
  for (std::size_t index = 0; index < accounts_.size(); ++index) accounts_[index].next_line = index;
}

bool Ledger::record(const EventView& event) {
  check_sequence(event.sequence);
  const auto producer = std::ranges::find(producers_, event.producer_id, &ProducerProcess::producer_id);
  if (producer == producers_.end()) {
    ++foreign_;
    return false;
  }
  Account& account = accounts_[static_cast<std::size_t>(producer - producers_.begin())];
  ++received_;
  if (last_producer_ != 0 && last_producer_ != event.producer_id) ++changes_;
  last_producer_ = event.producer_id;
  ++account.received;
  account.last_sequence = event.sequence;
  payload_bytes_ += event.payload.size();
  ++topics_.try_emplace(std::string(event.topic), 0).first->second;

  const std::string where = "sequence " + std::to_string(event.sequence);
  const std::size_t line = line_of(event.message_id, lines_.size());
  if (line == lines_.size()) {
    keep_first(count_fault_, where + " carries message id '" + std::string(event.message_id) + "', no line's number");
    return true;
  }
  if (seen_[line]) keep_first(count_fault_, where + " repeats line " + std::to_string(line + 1));
  seen_[line] = true;
  if (line != account.next_line) {
    keep_first(order_fault_, where + " is line " + std::to_string(line + 1) + " of producer_id " +
                                 std::to_string(event.producer_id) + ", expected its line " +
                                 std::to_string(account.next_line + 1));
  }
  account.next_line = line + accounts_.size();
  check_content(event, line);
  return true;
}

void Ledger::check_sequence(std::uint64_t sequence) {
  if (first_sequence_ == 0) {
    first_sequence_ = sequence;
  } else if (sequence != last_sequence_ + 1) {
    keep_first(sequence_fault_,
               "sequence " + std::to_string(sequence) + " came after " + std::to_string(last_sequence_));
  }
  last_sequence_ = sequence;
}

void Ledger::check_content(const EventView& event, std::size_t line) {
  const DpkgEvent expected = parse_dpkg_line(lines_[line]);
  if (event.payload == lines_[line] && event.topic == expected.topic && event.key == expected.key) return;
  keep_first(content_fault_, "sequence " + std::to_string(event.sequence) + " is not what line " +
                                 std::to_string(line + 1) + " was published as");
}

void Ledger::note_trouble(const std::string& text) { keep_first(sequence_fault_, text); }

Check Ledger::check_count() const {
  std::uint64_t published = 0;
  std::string fault = count_fault_;
  for (const ProducerProcess& producer : producers_) {
    published += producer.events;
    if (!producer.succeeded()) {
      keep_first(fault, "producer_id " + std::to_string(producer.producer_id) + ": " + producer.describe_end());
    }
  }
  const std::string numbers = std::to_string(lines_.size()) + " lines, " + std::to_string(published) + " published, " +
                              std::to_string(received_) + " received";
  if (published != lines_.size() || received_ != published) keep_first(fault, numbers);
  return verdict("events in = events out", fault, numbers);
}

// What the broker reported to each producer of its last event against what the consumer saw of it.
Check Ledger::check_receipts() const {
  std::string fault;
  for (std::size_t index = 0; index < accounts_.size(); ++index) {
    const ProducerProcess& producer = producers_[index];
    const std::uint64_t seen = accounts_[index].last_sequence;
    if (!producer.reported || producer.last_sequence == seen) continue;  // without an account, check_count() says so
    keep_first(fault, "producer_id " + std::to_string(producer.producer_id) + " was told sequence " +
                          std::to_string(producer.last_sequence) + " for its last event, which was received as " +
                          std::to_string(seen));
  }
  return verdict("receipts name the right sequence", fault, "the last event of each producer");
}

std::vector<Check> Ledger::checks() const {
  const std::string range = std::to_string(first_sequence_) + " to " + std::to_string(last_sequence_);
  const std::string mix =
      std::to_string(producers_.size()) + " producers, " + std::to_string(changes_) + " changes from one to another";
  return {check_count(), verdict("sequences contiguous", sequence_fault_, range),
          verdict("each producer's order kept", order_fault_, mix),
          verdict("topic, key and bytes unchanged", content_fault_, std::to_string(payload_bytes_) + " payload bytes"),
          check_receipts()};
}

}  // namespace leat::demo
