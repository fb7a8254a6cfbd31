#include "plan.h"

namespace leat::bench {
namespace {

constexpr std::size_t kPayloads[] = {16, 64, 256, 1024, 16384};
constexpr unsigned kSenders[] = {1, 2, 4, 8};
constexpr unsigned kReceivers[] = {0, 1, 2, 4, 8, 16, 32, 64};
constexpr std::size_t kUsualPayload = 64;

const std::vector<std::string> kOneByOne = {"leat",   "message_queue", "lockfree_queue", "seqpacket",
                                            "zeromq", "iceoryx",       "redis",          "nats-async"};
const std::vector<std::string> kFastest = {"leat",          "leat-batch",     "leat-synced",
                                           "message_queue", "lockfree_queue", "seqpacket",
                                           "zeromq",        "iceoryx",        "redis-pipelined",
                                           "nats-async"};
const std::vector<std::string> kFanOut = {"leat",    "leat-batch",      "seqpacket", "zeromq",
                                          "iceoryx", "redis-pipelined", "nats-async"};

class Plan {
 public:
  explicit Plan(bool quick) : quick_(quick), seconds_(quick ? 0.3 : 1.0) {}

  Row& add(std::string chart, const std::string& transport, Kind kind, std::size_t payload = kUsualPayload) {
    Row row;
    row.transport = transport;
    row.kind = kind;
    row.chart = std::move(chart);
    row.seconds = seconds_;
    row.setup.payload_bytes = payload;
    if (kind == Kind::ping) row.setup.idle = Idle::spin;
    rows_.push_back(std::move(row));
    return rows_.back();
  }

  void latency() {
    for (const std::string& transport : kOneByOne) {
      for (const std::size_t payload : kPayloads) {
        if (!quick_ || payload == kUsualPayload) add("latency", transport, Kind::ping, payload);
      }
    }
    for (const Idle idle : {Idle::adaptive, Idle::block}) add("idle", "leat", Kind::ping).setup.idle = idle;
    for (const Idle idle : {Idle::spin, Idle::adaptive, Idle::block}) {
      Row& row = add("idle", "leat", Kind::ping);
      row.setup.idle = idle;
      row.setup.durable = true;
    }
    for (const std::string& transport : kOneByOne) add("steady", transport, Kind::paced).setup.rate = 10'000;
    if (quick_) return;
    for (const Idle idle : {Idle::spin, Idle::block}) {
      Row& row = add("steady", "leat", Kind::paced);
      row.setup.rate = 10'000;
      row.setup.idle = idle;
    }
    for (const std::uint64_t rate : {100'000, 500'000}) add("steady-rate", "leat", Kind::paced).setup.rate = rate;
  }

  void throughput() {
    for (const std::string& transport : kFastest) {
      for (const std::size_t payload : kPayloads) {
        if (!quick_ || payload == 1024) add("throughput-payload", transport, Kind::throughput, payload);
      }
      for (const unsigned senders : kSenders) {
        if (senders > 1 && (!quick_ || senders == 4))
          add("throughput-producers", transport, Kind::throughput).setup.senders = senders;
      }
    }
    for (const std::string& transport : kFanOut) {
      for (const unsigned receivers : kReceivers) {
        if (receivers == 1 || (quick_ && receivers != 8)) continue;
        if (receivers == 0 && !transport.starts_with("leat")) continue;  // what a sender does when nobody listens
        add("throughput-consumers", transport, Kind::throughput).setup.receivers = receivers;
      }
    }
    if (quick_) return;
    Row& durable = add("throughput-durable", "leat-batch", Kind::throughput);
    durable.setup.durable = true;
  }

  void targets() {
    for (const char* transport :
         {"leat", "leat-batch", "leat-synced", "message_queue", "zeromq", "redis-pipelined", "nats-async"}) {
      add("targets", transport, Kind::throughput);
    }
    add("targets", "leat", Kind::ping);
    for (const Kind kind : {Kind::acknowledge_each, Kind::acknowledge_window}) {
      const bool each = kind == Kind::acknowledge_each;
      for (const char* transport : {"leat", each ? "redis" : "redis-pipelined", each ? "nats" : "nats-async"}) {
        add("targets", transport, kind).setup.durable = true;
      }
      Row& spin = add("targets", "leat", kind);
      spin.setup.durable = true;
      spin.setup.idle = Idle::spin;
    }
    for (const char* transport : {"leat-journal", "redis-pipelined", "nats-async"})
      add("targets", transport, Kind::replay);
  }

  std::vector<Row> take() { return std::move(rows_); }

 private:
  bool quick_;
  double seconds_;
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Row> picture_rows(bool quick) {
  Plan plan(quick);
  plan.latency();
  plan.throughput();
  return plan.take();
}

std::vector<Row> target_rows(bool quick) {
  Plan plan(quick);
  plan.targets();
  return plan.take();
}

}  // namespace leat::bench
