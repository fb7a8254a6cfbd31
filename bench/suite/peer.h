// What the harness asks of a transport, Leat and its peers alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker.h"

namespace leat::bench {

enum class Idle : std::uint8_t { spin, adaptive, block };
std::string_view to_string(Idle idle);

/// The work: the same for every transport.
struct Setup {
  std::string scratch;             ///< a directory on the file system to be measured
  std::size_t payload_bytes = 64;  ///< at least sizeof(Header)
  std::uint64_t events = 0;        ///< in all, over the senders
  unsigned senders = 1;
  unsigned receivers = 1;
  std::uint64_t rate = 0;      ///< events a second, open loop
  std::size_t window = 64;     ///< events sent and not yet durable
  Idle idle = Idle::adaptive;  ///< of receivers, and of Leat's broker
  bool durable = false;        ///< acknowledged, or delivered, when it is on disk
};

/// Every payload begins with this.
struct Header {
  std::uint64_t place;   ///< sender's index << 48 | event's index among the sender's
  std::int64_t sent_ns;  ///< open loop: when it should have been sent

  static constexpr unsigned kIndexBits = 48;
  static Header read(const void* payload) noexcept {
    Header header;
    std::memcpy(&header, payload, sizeof header);
    return header;
  }
  [[nodiscard]] std::size_t sender() const noexcept { return place >> kIndexBits; }
  [[nodiscard]] std::uint64_t index() const noexcept { return place & ((std::uint64_t{1} << kIndexBits) - 1); }
};

/// What a transport is, and which work it can be given.
struct Traits {
  std::string name;
  std::string note;        ///< what a reader of its figures must know
  bool brokered = false;   ///< a third process lies between sender and receiver
  bool journaled = false;  ///< what was delivered is in a file
  unsigned most_senders = 8;
  unsigned most_receivers = 64;  ///< each gets every event; 1: a queue
  bool acknowledges = false;     ///< a sender can wait until an event is as durable as the transport makes it
  bool replays = false;
  std::size_t most_payload_bytes = 1 << 16;
};

class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual Traits traits() const = 0;
  /// Why it cannot be run here ("package nats-server is not installed"); empty if it can.
  [[nodiscard]] virtual std::string missing() const = 0;

  /// In the harness, before the workers are forked: its daemon, its channels. Throws std::runtime_error.
  virtual void start(const Setup& setup) = 0;
  virtual void stop() = 0;

  // In a worker each. They throw std::runtime_error.
  virtual void send_all(const Setup&, unsigned index, Worker&) = 0;       ///< as fast as it is taken
  virtual void receive_all(const Setup&, unsigned index, Worker&) = 0;    ///< setup.events, checking order
  virtual void send_paced(const Setup&, unsigned index, Worker&) = 0;     ///< open loop, setup.rate
  virtual void receive_timed(const Setup&, unsigned index, Worker&) = 0;  ///< latency from Header::sent_ns
  virtual void ping(const Setup&, Worker&) = 0;                ///< brokered: send, wait for it. Else: half a round trip
  virtual void echo(const Setup&, Worker&) = 0;                ///< the other end of a ping, if not brokered
  virtual void acknowledge_each(const Setup&, Worker&) = 0;    ///< one at a time; latency
  virtual void acknowledge_window(const Setup&, Worker&) = 0;  ///< setup.window outstanding
  virtual void replay(const Setup&, Worker&) = 0;              ///< all that was sent, from the first
};

/// All transports this program was built with, and those it was built without (they say so in missing()).
std::vector<std::unique_ptr<Transport>> all_transports();

/// Stands for a transport whose library was not there at build time.
std::unique_ptr<Transport> absent(std::string name, std::string package);

}  // namespace leat::bench
