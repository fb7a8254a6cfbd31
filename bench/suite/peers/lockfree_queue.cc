// A boost::lockfree::queue of fixed capacity in memory that the processes share. It has no way to sleep: a full or an
// empty queue is tried again after a yield.
#include <sched.h>
#include <sys/mman.h>

#include <array>
#include <new>

#include <boost/lockfree/queue.hpp>

#include "bench/suite/driver.h"
#include "bench/suite/peers/peers.h"

namespace leat::bench {
namespace {

constexpr std::size_t kMessages = 1024;
constexpr int kTurnSpins = 100'000;

// The queue's element has a fixed size, so there is a queue for each payload of the suite.
struct QueueKind {
  std::size_t payload_bytes;
  std::size_t queue_bytes;
  void (*construct)(void* memory);
  bool (*push)(void* queue, const void* payload);
  bool (*pop)(void* queue, void* payload);
};

template <std::size_t kBytes>
constexpr QueueKind kind_of() {
  using Payload = std::array<std::byte, kBytes>;
  using Queue = boost::lockfree::queue<Payload, boost::lockfree::capacity<kMessages>>;
  return {kBytes, sizeof(Queue), [](void* memory) { new (memory) Queue; },
          [](void* queue, const void* payload) {
            return static_cast<Queue*>(queue)->bounded_push(*static_cast<const Payload*>(payload));
          },
          [](void* queue, void* payload) { return static_cast<Queue*>(queue)->pop(*static_cast<Payload*>(payload)); }};
}

constexpr QueueKind kKinds[] = {kind_of<16>(), kind_of<64>(), kind_of<256>(), kind_of<1024>(), kind_of<16384>()};

const QueueKind& kind_for(std::size_t payload_bytes) {
  for (const QueueKind& kind : kKinds) {
    if (kind.payload_bytes >= payload_bytes) return kind;
  }
  throw std::runtime_error("no lockfree queue for payloads this large");
}

class LockfreeQueue {
 public:
  static Traits traits() {
    return {.name = "lockfree_queue",
            .note = "boost::lockfree::queue in shared memory, 1024 messages; spins and yields, never sleeps",
            .most_receivers = 1,
            .most_payload_bytes = 16384};
  }
  static std::string missing() { return {}; }

  void start(const Setup& setup) {
    const QueueKind& kind = kind_for(setup.payload_bytes);
    bytes_ = kind.queue_bytes;
    for (void*& queue : queues_) {
      queue = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
      if (queue == MAP_FAILED) throw std::runtime_error("mmap failed");
      kind.construct(queue);
    }
  }
  void stop() {
    for (void*& queue : queues_) {
      if (queue != nullptr) ::munmap(queue, bytes_);
      queue = nullptr;
    }
  }

  struct Sender : NoAcknowledgement {
    Sender(LockfreeQueue& peer, const Setup& setup, unsigned channel, unsigned)
        : kind(kind_for(setup.payload_bytes)), queue(peer.queues_[channel]), payload(kind.payload_bytes) {}
    std::byte* room() { return payload.data(); }
    void post() {
      while (!kind.push(queue, payload.data())) ::sched_yield();
    }
    void flush() {}
    void finish() {}
    const QueueKind& kind;
    void* queue;
    std::vector<std::byte> payload;
  };

  struct Receiver {
    Receiver(LockfreeQueue& peer, const Setup& setup, unsigned channel, unsigned, bool)
        : kind(kind_for(setup.payload_bytes)),
          queue(peer.queues_[channel]),
          payload(kind.payload_bytes),
          spin(setup.idle == Idle::spin) {}
    const std::byte* take() {
      for (int i = 0; i < kTurnSpins; ++i) {
        if (kind.pop(queue, payload.data())) return payload.data();
        if (!spin) ::sched_yield();
      }
      return nullptr;
    }
    const QueueKind& kind;
    void* queue;
    std::vector<std::byte> payload;
    bool spin;
  };

 private:
  void* queues_[2] = {nullptr, nullptr};
  std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Transport> make_lockfree_queue() { return std::make_unique<Driver<LockfreeQueue>>(); }

}  // namespace leat::bench
