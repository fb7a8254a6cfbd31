// ZeroMQ over ipc: each sender an XPUB (a PUB that sees subscriptions), each receiver a SUB to all of them. Without
// high-water marks, as a PUB at its mark drops.
#include "bench/suite/peers/peers.h"

#ifdef LEAT_BENCH_ZEROMQ
#include <cerrno>

#include <zmq.hpp>

#include "bench/suite/driver.h"

namespace leat::bench {
namespace {

constexpr int kTurn_ms = 100;
constexpr int kTurnSpins = 100'000;

class ZeroMq {
 public:
  static Traits traits() {
    return {.name = "zeromq",
            .note = "ipc://, XPUB and SUB, no high-water marks (it would drop), so memory is the bound"};
  }
  static std::string missing() { return {}; }

  void start(const Setup& setup) { directory_ = setup.scratch; }
  void stop() {}

  struct Sender : NoAcknowledgement {
    Sender(ZeroMq& peer, const Setup& setup, unsigned channel, unsigned index)
        : socket(context, zmq::socket_type::xpub), payload(setup.payload_bytes) {
      socket.set(zmq::sockopt::sndhwm, 0);
      socket.set(zmq::sockopt::linger, -1);
      socket.set(zmq::sockopt::xpub_verbose, 1);  // or it tells of the first subscription only
      socket.bind(peer.endpoint(channel, index));
      for (unsigned i = 0; i < (channel == 0 ? setup.receivers : 1); ++i) {
        zmq::message_t subscription;
        (void)socket.recv(subscription);
      }
    }
    std::byte* room() { return payload.data(); }
    void post() {
      if (!socket.send(zmq::buffer(payload.data(), payload.size()), zmq::send_flags::none)) {
        throw std::runtime_error("zmq send failed");
      }
    }
    void flush() {}
    void finish() {}
    zmq::context_t context;
    zmq::socket_t socket;
    std::vector<std::byte> payload;
  };

  struct Receiver {
    Receiver(ZeroMq& peer, const Setup& setup, unsigned channel, unsigned, bool)
        : socket(context, zmq::socket_type::sub), spin(setup.idle == Idle::spin) {
      socket.set(zmq::sockopt::subscribe, "");
      socket.set(zmq::sockopt::rcvhwm, 0);
      socket.set(zmq::sockopt::rcvtimeo, kTurn_ms);
      for (unsigned i = 0; i < (channel == 0 ? setup.senders : 1); ++i) socket.connect(peer.endpoint(channel, i));
    }
    const std::byte* take() {
      for (int i = 0; i < (spin ? kTurnSpins : 1); ++i) {
        if (socket.recv(message, spin ? zmq::recv_flags::dontwait : zmq::recv_flags::none)) {
          return message.data<std::byte>();
        }
      }
      return nullptr;
    }
    zmq::context_t context;
    zmq::socket_t socket;
    zmq::message_t message;
    bool spin;
  };

 private:
  [[nodiscard]] std::string endpoint(unsigned channel, unsigned index) const {
    return "ipc://" + directory_ + "/zmq-" + std::to_string(channel) + "-" + std::to_string(index);
  }
  std::string directory_;
};

}  // namespace

std::unique_ptr<Transport> make_zeromq() { return std::make_unique<Driver<ZeroMq>>(); }

}  // namespace leat::bench
#else
namespace leat::bench {
std::unique_ptr<Transport> make_zeromq() { return absent("zeromq", "cppzmq-dev"); }
}  // namespace leat::bench
#endif
