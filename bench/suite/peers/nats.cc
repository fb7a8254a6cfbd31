// NATS JetStream over loopback TCP (it knows no Unix sockets), file store. Its publish acknowledgement means "in the
// stream"; nats-server 2.9 does not fsync before it answers.
#include "bench/suite/peers/peers.h"

#ifdef LEAT_BENCH_NATS
#include <nats/nats.h>

#include "bench/suite/daemon.h"
#include "bench/suite/driver.h"

namespace leat::bench {
namespace {

constexpr std::int64_t kMostPending = 4096;
constexpr std::int64_t kTurn_ms = 100;
constexpr std::int64_t kPatience_ms = 30'000;
constexpr int kPendingLimit = 10'000'000;

void must(natsStatus status, const char* doing) {
  if (status != NATS_OK) throw std::runtime_error(std::string(doing) + ": " + natsStatus_GetText(status));
}

struct Connection {
  explicit Connection(unsigned port) {
    must(natsConnection_ConnectTo(&nats, ("nats://127.0.0.1:" + std::to_string(port)).c_str()),
         "connecting to nats-server");
  }
  ~Connection() { natsConnection_Destroy(nats); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  jsCtx* stream_context(std::int64_t most_pending) {
    jsOptions options;
    must(jsOptions_Init(&options), "JetStream options");
    options.PublishAsync.MaxPending = most_pending;
    jsCtx* context = nullptr;
    must(natsConnection_JetStream(&context, nats, &options), "JetStream context");
    return context;
  }

  natsConnection* nats = nullptr;
};

template <bool kAsync>
class Nats {
 public:
  static Traits traits() {
    return {.name = kAsync ? "nats-async" : "nats",
            .note = kAsync ? "JetStream, file store, js_PublishAsync, ordered consumer; acknowledged without fsync"
                           : "JetStream, file store, js_Publish, ordered consumer; acknowledged without fsync",
            .brokered = true,
            .journaled = true,
            .acknowledges = true,
            .replays = kAsync};
  }
  static std::string missing() {
    return find_program("nats-server").empty() ? "package nats-server is not installed" : "";
  }

  void start(const Setup& setup) {
    port_ = free_tcp_port();
    server_.start({find_program("nats-server"), "-js", "-sd", setup.scratch + "/jetstream", "-a", "127.0.0.1", "-p",
                   std::to_string(port_)},
                  setup.scratch + "/nats.log", [&] { return accepts_tcp(port_); });
    create_stream();
  }
  void stop() { server_.stop(); }

  struct Sender {
    Sender(Nats& peer, const Setup& setup, unsigned, unsigned)
        : connection(peer.port_),
          context(connection.stream_context(setup.durable ? static_cast<std::int64_t>(setup.window) : kMostPending)),
          payload(setup.payload_bytes) {}
    ~Sender() { jsCtx_Destroy(context); }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;
    std::byte* room() { return payload.data(); }
    void post() {
      const int bytes = static_cast<int>(payload.size());
      if (kAsync) {
        must(js_PublishAsync(context, "feed", payload.data(), bytes, nullptr), "js_PublishAsync");
      } else {
        must(js_Publish(nullptr, context, "feed", payload.data(), bytes, nullptr, nullptr), "js_Publish");
      }
    }
    void flush() {}
    void finish() {
      if (!kAsync) return;
      jsPubOptions options;
      must(jsPubOptions_Init(&options), "js options");
      options.MaxWait = kPatience_ms;
      must(js_PublishAsyncComplete(context, &options), "js_PublishAsyncComplete");
    }
    void acknowledge() {}  // js_Publish has waited; js_PublishAsync waits when the window is full
    Connection connection;
    jsCtx* context;
    std::vector<std::byte> payload;
  };

  struct Receiver {
    Receiver(Nats& peer, const Setup&, unsigned, unsigned, bool)
        : connection(peer.port_), context(connection.stream_context(kMostPending)) {
      jsSubOptions options;
      must(jsSubOptions_Init(&options), "js options");
      options.Ordered = true;
      must(js_SubscribeSync(&subscription, context, "feed", nullptr, &options, nullptr), "js_SubscribeSync");
      must(natsSubscription_SetPendingLimits(subscription, kPendingLimit, -1), "pending limits");
    }
    ~Receiver() {
      natsMsg_Destroy(message);
      natsSubscription_Destroy(subscription);
      jsCtx_Destroy(context);
    }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;
    const std::byte* take() {
      natsMsg_Destroy(message);
      message = nullptr;
      const natsStatus status = natsSubscription_NextMsg(&message, subscription, kTurn_ms);
      if (status == NATS_TIMEOUT) return nullptr;
      must(status, "natsSubscription_NextMsg");
      return reinterpret_cast<const std::byte*>(natsMsg_GetData(message));
    }
    Connection connection;
    jsCtx* context;
    natsSubscription* subscription = nullptr;
    natsMsg* message = nullptr;
  };

 private:
  // In a process of its own: the library starts threads, and the workers are forked from this one.
  void create_stream() {
    Crew crew(1);
    crew.add([this](Worker& worker) {
      Connection connection(port_);
      jsCtx* context = connection.stream_context(1);
      jsStreamConfig config;
      must(jsStreamConfig_Init(&config), "js stream");
      const char* subjects[] = {"feed"};
      config.Name = "feed";
      config.Subjects = subjects;
      config.SubjectsLen = 1;
      config.Storage = js_FileStorage;
      must(js_AddStream(nullptr, context, &config, nullptr, nullptr), "js_AddStream");
      jsCtx_Destroy(context);
      worker.start();
    });
    crew.run();
  }

  unsigned port_ = 0;
  Daemon server_;
};

}  // namespace

std::unique_ptr<Transport> make_nats() { return std::make_unique<Driver<Nats<false>>>(); }
std::unique_ptr<Transport> make_nats_async() { return std::make_unique<Driver<Nats<true>>>(); }

}  // namespace leat::bench
#else
namespace leat::bench {
std::unique_ptr<Transport> make_nats() { return absent("nats", "libnats-dev"); }
std::unique_ptr<Transport> make_nats_async() { return absent("nats-async", "libnats-dev"); }
}  // namespace leat::bench
#endif
