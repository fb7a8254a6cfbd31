// The work itself, written once and compiled for each transport, so that no virtual call stands in a measured loop.
//
// A Peer has
//   static Traits traits(); static std::string missing();
//   void start(const Setup&); void stop();
//   struct Sender   { Sender(Peer&, const Setup&, unsigned channel, unsigned index);
//                     std::byte* room();      // where the next payload goes; its bytes from the last time are kept
//                     void post();            // sends it, waiting while the transport is full
//                     void flush();           // what was posted is on its way
//                     void finish();          // the transport has taken all that was posted
//                     void acknowledge(); };  // waits for the oldest event that was posted and is not acknowledged
//   struct Receiver { Receiver(Peer&, const Setup&, unsigned channel, unsigned index, bool from_start);
//                     const std::byte* take(); };  // the next payload; nullptr if none came within about 100 ms
// Channel 0 is the feed; channel 1 the way back of a ping between two processes.
#pragma once

#include <sched.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "clock.h"
#include "peer.h"

namespace leat::bench {

inline constexpr std::int64_t kSilence_ns = 10'000'000'000;  ///< a receiver gives up after this long without anything
inline constexpr std::uint64_t kWarmUpDivisor = 10;

template <typename Receiver>
const std::byte* await(Receiver& receiver) {
  const std::byte* payload = receiver.take();
  if (payload != nullptr) return payload;
  const std::int64_t deadline = now_ns() + kSilence_ns;
  while ((payload = receiver.take()) == nullptr) {
    if (now_ns() > deadline) throw std::runtime_error("nothing received for 10 s");
  }
  return payload;
}

template <typename Peer>
class Driver final : public Transport {
 public:
  [[nodiscard]] Traits traits() const override { return Peer::traits(); }
  [[nodiscard]] std::string missing() const override { return Peer::missing(); }
  void start(const Setup& setup) override { peer_.start(setup); }
  void stop() override { peer_.stop(); }

  void send_all(const Setup& setup, unsigned index, Worker& worker) override {
    Sender sender(peer_, setup, 0, index);
    worker.start();
    const std::uint64_t events = share_of(setup, index);
    for (std::uint64_t i = 0; i < events; ++i) post(sender, index, i, 0);
    sender.finish();
    worker.finish(events);
  }

  void receive_all(const Setup& setup, unsigned index, Worker& worker) override {
    Receiver receiver(peer_, setup, 0, index, false);
    worker.start();
    take_all(receiver, setup, worker);
  }

  void send_paced(const Setup& setup, unsigned index, Worker& worker) override {
    Sender sender(peer_, setup, 0, index);
    worker.start();
    const std::uint64_t events = share_of(setup, index);
    const double gap_ns = 1e9 * setup.senders / static_cast<double>(setup.rate);
    const std::int64_t begin = now_ns();
    for (std::uint64_t i = 0; i < events; ++i) {
      const std::int64_t due = begin + static_cast<std::int64_t>(gap_ns * static_cast<double>(i));
      while (now_ns() < due) {
      }
      post(sender, index, i, due);
      sender.flush();
    }
    worker.finish(events);
  }

  void receive_timed(const Setup& setup, unsigned index, Worker& worker) override {
    Receiver receiver(peer_, setup, 0, index, false);
    worker.start();
    const std::uint64_t warm_up = setup.events / kWarmUpDivisor;
    for (std::uint64_t i = 0; i < setup.events; ++i) {
      const std::int64_t sent = Header::read(await(receiver)).sent_ns;
      if (i >= warm_up) worker.latency().record(now_ns() - sent);
    }
    worker.finish(setup.events);
  }

  void ping(const Setup& setup, Worker& worker) override {
    const bool brokered = Peer::traits().brokered;
    Sender sender(peer_, setup, 0, 0);
    Receiver receiver(peer_, setup, brokered ? 0 : 1, 0, false);
    worker.start();
    const std::uint64_t warm_up = setup.events / kWarmUpDivisor;
    for (std::uint64_t i = 0; i < setup.events + warm_up; ++i) {
      const std::int64_t begin = now_ns();
      post(sender, 0, i, begin);
      sender.flush();
      if (Header::read(await(receiver)).index() != i) throw std::runtime_error("another event than the one sent");
      const std::int64_t took = now_ns() - begin;
      if (i >= warm_up) worker.latency().record(brokered ? took : took / 2);
    }
    worker.finish(setup.events);
  }

  void echo(const Setup& setup, Worker& worker) override {
    Receiver receiver(peer_, setup, 0, 0, false);
    Sender sender(peer_, setup, 1, 0);
    worker.start();
    for (std::uint64_t i = 0;; ++i) {
      await(receiver);
      post(sender, 0, i, 0);
      sender.flush();
    }
  }

  void acknowledge_each(const Setup& setup, Worker& worker) override {
    Sender sender(peer_, setup, 0, 0);
    worker.start();
    for (std::uint64_t i = 0; i < setup.events; ++i) {
      const std::int64_t begin = now_ns();
      post(sender, 0, i, begin);
      sender.flush();
      sender.acknowledge();
      worker.latency().record(now_ns() - begin);
    }
    worker.finish(setup.events);
  }

  void acknowledge_window(const Setup& setup, Worker& worker) override {
    Sender sender(peer_, setup, 0, 0);
    worker.start();
    for (std::uint64_t i = 0; i < setup.events; ++i) {
      if (i >= setup.window) sender.acknowledge();
      post(sender, 0, i, 0);
      sender.flush();
    }
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(setup.window, setup.events); ++i) sender.acknowledge();
    sender.finish();
    worker.finish(setup.events);
  }

  void replay(const Setup& setup, Worker& worker) override {
    worker.start();
    Receiver receiver(peer_, setup, 0, 0, true);
    take_all(receiver, setup, worker);
  }

 private:
  using Sender = typename Peer::Sender;
  using Receiver = typename Peer::Receiver;

  static std::uint64_t share_of(const Setup& setup, unsigned index) {
    return setup.events / setup.senders + (index < setup.events % setup.senders ? 1 : 0);
  }

  static void post(Sender& sender, unsigned index, std::uint64_t i, std::int64_t sent_ns) {
    const Header header{.place = std::uint64_t{index} << Header::kIndexBits | i, .sent_ns = sent_ns};
    std::memcpy(sender.room(), &header, sizeof header);
    sender.post();
  }

  // Every event of every sender, in each sender's order; what is missing is counted, and is the row's to report.
  static void take_all(Receiver& receiver, const Setup& setup, Worker& worker) {
    std::vector<std::uint64_t> next(setup.senders, 0);
    for (std::uint64_t i = 0; i < setup.events; ++i) {
      const Header header = Header::read(await(receiver));
      if (header.sender() >= next.size()) throw std::runtime_error("an event that nobody sent");
      std::uint64_t& expected = next[header.sender()];
      if (header.index() != expected) worker.lose(1);
      expected = header.index() + 1;
    }
    worker.finish(setup.events);
  }

  Peer peer_;
};

/// For transports whose senders cannot wait for anything beyond the hand-over.
struct NoAcknowledgement {
  [[noreturn]] static void acknowledge() { throw std::runtime_error("this transport acknowledges nothing"); }
};

}  // namespace leat::bench
