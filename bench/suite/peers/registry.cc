#include <stdexcept>

#include "bench/suite/peers/peers.h"

namespace leat::bench {
namespace {

class Absent final : public Transport {
 public:
  Absent(std::string name, std::string package) : name_(std::move(name)), package_(std::move(package)) {}
  [[nodiscard]] Traits traits() const override { return {.name = name_, .note = missing()}; }
  [[nodiscard]] std::string missing() const override {
    return "built without it: package " + package_ + " was not installed (scripts/install-deps --bench)";
  }
  void start(const Setup&) override { refuse(); }
  void stop() override {}
  void send_all(const Setup&, unsigned, Worker&) override { refuse(); }
  void receive_all(const Setup&, unsigned, Worker&) override { refuse(); }
  void send_paced(const Setup&, unsigned, Worker&) override { refuse(); }
  void receive_timed(const Setup&, unsigned, Worker&) override { refuse(); }
  void ping(const Setup&, Worker&) override { refuse(); }
  void echo(const Setup&, Worker&) override { refuse(); }
  void acknowledge_each(const Setup&, Worker&) override { refuse(); }
  void acknowledge_window(const Setup&, Worker&) override { refuse(); }
  void replay(const Setup&, Worker&) override { refuse(); }

 private:
  [[noreturn]] void refuse() const { throw std::runtime_error(missing()); }
  std::string name_;
  std::string package_;
};

}  // namespace

std::string_view to_string(Idle idle) {
  switch (idle) {
    case Idle::spin: return "spin";
    case Idle::adaptive: return "adaptive";
    case Idle::block: return "block";
  }
  return "?";
}

std::unique_ptr<Transport> absent(std::string name, std::string package) {
  return std::make_unique<Absent>(std::move(name), std::move(package));
}

std::vector<std::unique_ptr<Transport>> all_transports() {
  std::vector<std::unique_ptr<Transport>> all;
  for (const auto make :
       {make_leat, make_leat_batch, make_leat_synced, make_leat_journal, make_message_queue, make_lockfree_queue,
        make_seqpacket, make_zeromq, make_iceoryx, make_redis, make_redis_pipelined, make_nats, make_nats_async}) {
    all.push_back(make());
  }
  return all;
}

}  // namespace leat::bench
