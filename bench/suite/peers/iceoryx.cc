// iceoryx publish/subscribe with its daemon RouDi, which only makes introductions: samples go from publisher to
// subscriber in shared memory without a copy. No journal, and a subscriber holds at most 256 samples.
#include "bench/suite/peers/peers.h"

#ifdef LEAT_BENCH_ICEORYX
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include "bench/suite/daemon.h"
#include "bench/suite/driver.h"

namespace leat::bench {
namespace {

constexpr int kTurnSpins = 100'000;
constexpr std::uint64_t kTurn_ms = 100;

class Iceoryx {
 public:
  static Traits traits() {
    return {.name = "iceoryx", .note = "zero-copy, no broker in between, no journal; queue of 256, blocking publisher"};
  }
  static std::string missing() { return find_program("iox-roudi").empty() ? "package iceoryx is not installed" : ""; }

  void start(const Setup& setup) {
    const std::string log = setup.scratch + "/roudi.log";
    roudi_.start({find_program("iox-roudi"), "--monitoring-mode", "off"}, log, [&] {
      std::ifstream file(log);
      for (std::string line; std::getline(file, line);) {
        if (line.find("RouDi is ready for clients") != std::string::npos) return true;
      }
      return false;
    });
  }
  void stop() { roudi_.stop(); }

  struct Sender : NoAcknowledgement {
    Sender(Iceoryx&, const Setup& setup, unsigned channel, unsigned index) : payload_bytes(setup.payload_bytes) {
      attach("sender", channel, index);
      iox::popo::PublisherOptions options;
      options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
      publisher.emplace(service(channel), options);
      while (!publisher->hasSubscribers()) ::usleep(1000);
    }
    std::byte* room() {
      if (chunk == nullptr) {
        publisher->loan(static_cast<std::uint32_t>(payload_bytes))
            .and_then([&](void* loaned) { chunk = static_cast<std::byte*>(loaned); })
            .or_else([](auto&) { throw std::runtime_error("iceoryx has no chunk to loan"); });
      }
      return chunk;
    }
    void post() {
      publisher->publish(room());
      chunk = nullptr;
    }
    void flush() {}
    void finish() {}
    std::size_t payload_bytes;
    std::optional<iox::popo::UntypedPublisher> publisher;
    std::byte* chunk = nullptr;
  };

  struct Receiver {
    Receiver(Iceoryx&, const Setup& setup, unsigned channel, unsigned index, bool) : spin(setup.idle != Idle::block) {
      attach("receiver", channel, index);
      iox::popo::SubscriberOptions options;
      options.queueCapacity = 256;
      options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
      subscriber.emplace(service(channel), options);
      if (!spin) {
        set.emplace();
        set->attachState(*subscriber, iox::popo::SubscriberState::HAS_DATA).or_else([](auto) {
          throw std::runtime_error("iceoryx wait set");
        });
      }
      yields = setup.idle == Idle::adaptive;
    }
    ~Receiver() {
      if (chunk != nullptr) subscriber->release(chunk);
    }
    const std::byte* take() {
      if (chunk != nullptr) subscriber->release(chunk);
      chunk = nullptr;
      for (int i = 0; i < kTurnSpins && chunk == nullptr; ++i) {
        subscriber->take().and_then([&](const void* taken) { chunk = static_cast<const std::byte*>(taken); });
        if (chunk != nullptr) break;
        if (yields) ::sched_yield();
        if (!spin && set->timedWait(iox::units::Duration::fromMilliseconds(kTurn_ms)).empty()) break;
      }
      return chunk;
    }
    bool spin;
    bool yields = false;
    std::optional<iox::popo::UntypedSubscriber> subscriber;
    std::optional<iox::popo::WaitSet<>> set;
    const std::byte* chunk = nullptr;
  };

 private:
  static void attach(const char* role, unsigned channel, unsigned index) {
    static bool attached = false;
    if (attached) return;
    attached = true;
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kOff);
    const std::string name = std::string(role) + "-" + std::to_string(channel) + "-" + std::to_string(index) + "-" +
                             std::to_string(::getpid());
    iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
  }
  static iox::capro::ServiceDescription service(unsigned channel) {
    return {"leat", "bench", channel == 0 ? "feed" : "back"};
  }

  Daemon roudi_;
};

}  // namespace

std::unique_ptr<Transport> make_iceoryx() { return std::make_unique<Driver<Iceoryx>>(); }

}  // namespace leat::bench
#else
namespace leat::bench {
std::unique_ptr<Transport> make_iceoryx() { return absent("iceoryx", "libiceoryx-posh-dev"); }
}  // namespace leat::bench
#endif
