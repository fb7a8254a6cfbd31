// Boost.Interprocess message_queue: a priority queue in shared memory under an interprocess mutex.
#include <unistd.h>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>

#include "bench/suite/driver.h"
#include "bench/suite/peers/peers.h"

namespace leat::bench {
namespace {

using boost::interprocess::message_queue;

constexpr std::size_t kMessages = 1024;
constexpr int kTurnSpins = 100'000;
constexpr int kTurn_ms = 100;

class MessageQueue {
 public:
  static Traits traits() {
    return {.name = "message_queue", .note = "Boost.Interprocess message_queue, 1024 messages", .most_receivers = 1};
  }
  static std::string missing() { return {}; }

  void start(const Setup& setup) {
    for (unsigned channel = 0; channel < 2; ++channel) {
      message_queue::remove(name(channel).c_str());
      message_queue(boost::interprocess::create_only, name(channel).c_str(), kMessages, setup.payload_bytes);
    }
  }
  void stop() {
    for (unsigned channel = 0; channel < 2; ++channel) message_queue::remove(name(channel).c_str());
  }

  struct Sender : NoAcknowledgement {
    Sender(MessageQueue& peer, const Setup& setup, unsigned channel, unsigned)
        : queue(boost::interprocess::open_only, peer.name(channel).c_str()), payload(setup.payload_bytes) {}
    std::byte* room() { return payload.data(); }
    void post() { queue.send(payload.data(), payload.size(), 0); }
    void flush() {}
    void finish() {}
    message_queue queue;
    std::vector<std::byte> payload;
  };

  struct Receiver {
    Receiver(MessageQueue& peer, const Setup& setup, unsigned channel, unsigned, bool)
        : queue(boost::interprocess::open_only, peer.name(channel).c_str()),
          payload(setup.payload_bytes),
          spin(setup.idle == Idle::spin) {}
    const std::byte* take() {
      message_queue::size_type bytes = 0;
      unsigned priority = 0;
      if (!spin) {
        const auto deadline =
            boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(kTurn_ms);
        return queue.timed_receive(payload.data(), payload.size(), bytes, priority, deadline) ? payload.data()
                                                                                              : nullptr;
      }
      for (int i = 0; i < kTurnSpins; ++i) {
        if (queue.try_receive(payload.data(), payload.size(), bytes, priority)) return payload.data();
      }
      return nullptr;
    }
    message_queue queue;
    std::vector<std::byte> payload;
    bool spin;
  };

 private:
  [[nodiscard]] std::string name(unsigned channel) const {
    return "leat-bench-" + std::to_string(owner_) + "-" + std::to_string(channel);
  }
  pid_t owner_ = ::getpid();
};

}  // namespace

std::unique_ptr<Transport> make_message_queue() { return std::make_unique<Driver<MessageQueue>>(); }

}  // namespace leat::bench
