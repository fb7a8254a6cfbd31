// A Unix seqpacket socket pair for each receiver: two system calls an event and receiver.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "bench/suite/driver.h"
#include "bench/suite/peers/peers.h"

namespace leat::bench {
namespace {

constexpr int kBufferBytes = 1 << 20;
constexpr int kTurn_ms = 100;
constexpr int kTurnSpins = 100'000;

class Seqpacket {
 public:
  static Traits traits() { return {.name = "seqpacket", .note = "AF_UNIX SOCK_SEQPACKET, a socket for each receiver"}; }
  static std::string missing() { return {}; }

  void start(const Setup& setup) {
    for (auto& pairs : channels_) {
      for (unsigned i = 0; i < setup.receivers; ++i) {
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
          throw std::runtime_error("socketpair failed");
        }
        (void)::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &kBufferBytes, sizeof kBufferBytes);
        pairs.push_back(pair);
      }
    }
  }
  void stop() {
    for (auto& pairs : channels_) {
      for (const auto& pair : pairs) {
        ::close(pair[0]);
        ::close(pair[1]);
      }
      pairs.clear();
    }
  }

  struct Sender : NoAcknowledgement {
    Sender(Seqpacket& peer, const Setup& setup, unsigned channel, unsigned)
        : pairs(peer.channels_[channel]), payload(setup.payload_bytes) {}
    std::byte* room() { return payload.data(); }
    void post() {
      for (const auto& pair : pairs) {
        while (::send(pair[0], payload.data(), payload.size(), MSG_NOSIGNAL) < 0) {
          if (errno != EINTR && errno != ENOBUFS) throw std::runtime_error("send failed");
        }
      }
    }
    void flush() {}
    void finish() {}
    const std::vector<std::array<int, 2>>& pairs;
    std::vector<std::byte> payload;
  };

  struct Receiver {
    Receiver(Seqpacket& peer, const Setup& setup, unsigned channel, unsigned index, bool)
        : fd(peer.channels_[channel].at(index)[1]), payload(setup.payload_bytes), spin(setup.idle == Idle::spin) {}
    const std::byte* take() {
      for (int i = 0; i < kTurnSpins; ++i) {
        if (::recv(fd, payload.data(), payload.size(), MSG_DONTWAIT) > 0) return payload.data();
        if (errno != EAGAIN && errno != EINTR) throw std::runtime_error("recv failed");
        if (spin) continue;
        pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&wanted, 1, kTurn_ms) == 0) return nullptr;
      }
      return nullptr;
    }
    int fd;
    std::vector<std::byte> payload;
    bool spin;
  };

 private:
  std::array<std::vector<std::array<int, 2>>, 2> channels_;
};

}  // namespace

std::unique_ptr<Transport> make_seqpacket() { return std::make_unique<Driver<Seqpacket>>(); }

}  // namespace leat::bench
