// Redis Streams over a Unix socket, with an append-only file: XADD, XREAD. A command at a time, and pipelined.
#include "bench/suite/peers/peers.h"

#ifdef LEAT_BENCH_REDIS
#include <hiredis/hiredis.h>

#include "bench/suite/daemon.h"
#include "bench/suite/driver.h"

namespace leat::bench {
namespace {

constexpr std::size_t kPipelineDepth = 512;
constexpr const char* kReadCount = "1000";
constexpr const char* kTurn_ms = "100";

using Connection = std::unique_ptr<redisContext, decltype([](redisContext* context) { redisFree(context); })>;
using Reply = std::unique_ptr<redisReply, decltype([](redisReply* reply) { freeReplyObject(reply); })>;

Connection connect(const std::string& path) {
  Connection connection(redisConnectUnix(path.c_str()));
  if (!connection || connection->err != 0) throw std::runtime_error("connecting to redis-server failed");
  return connection;
}

template <std::size_t kDepth>
class Redis {
 public:
  static Traits traits() {
    return {.name = kDepth == 1 ? "redis" : "redis-pipelined",
            .note = kDepth == 1 ? "Redis Streams, a command at a time; appendfsync everysec, durable: always"
                                : "Redis Streams, up to 512 commands pipelined; appendfsync everysec, durable: always",
            .brokered = true,
            .journaled = true,
            .acknowledges = true,
            .replays = kDepth != 1};
  }
  static std::string missing() {
    return find_program("redis-server").empty() ? "package redis-server is not installed" : "";
  }

  void start(const Setup& setup) {
    socket_ = setup.scratch + "/redis.sock";
    server_.start({find_program("redis-server"), "--port", "0", "--unixsocket", socket_, "--dir", setup.scratch,
                   "--save", "", "--appendonly", "yes", "--appendfsync", setup.durable ? "always" : "everysec"},
                  setup.scratch + "/redis.log", [&] { return accepts_unix(socket_); });
  }
  void stop() { server_.stop(); }

  struct Sender {
    Sender(Redis& peer, const Setup& setup, unsigned, unsigned)
        : connection(connect(peer.socket_)), payload(setup.payload_bytes) {}
    std::byte* room() { return payload.data(); }
    void post() {
      if (pending == kDepth) {
        for (std::size_t i = 0; i < (kDepth + 1) / 2; ++i) acknowledge();
      }
      const char* words[] = {"XADD", "feed", "*", "p", reinterpret_cast<const char*>(payload.data())};
      const std::size_t lengths[] = {4, 4, 1, 1, payload.size()};
      if (redisAppendCommandArgv(connection.get(), 5, words, lengths) != REDIS_OK) throw std::runtime_error("XADD");
      ++pending;
    }
    void flush() {
      for (int done = 0; done == 0;) {
        if (redisBufferWrite(connection.get(), &done) != REDIS_OK) throw std::runtime_error("writing to redis failed");
      }
    }
    void finish() {
      while (pending > 0) acknowledge();
    }
    void acknowledge() {
      void* raw = nullptr;
      if (redisGetReply(connection.get(), &raw) != REDIS_OK) throw std::runtime_error("reading from redis failed");
      const Reply reply(static_cast<redisReply*>(raw));
      if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
      --pending;
    }
    Connection connection;
    std::vector<std::byte> payload;
    std::size_t pending = 0;
  };

  struct Receiver {
    Receiver(Redis& peer, const Setup&, unsigned, unsigned, bool) : connection(connect(peer.socket_)) {}
    // A reply is [[key, [[id, [field, value]], ...]]], or nil.
    const std::byte* take() {
      if (next == count && !fetch()) return nullptr;
      const redisReply* entry = entries->element[next++];
      last_id.assign(entry->element[0]->str, entry->element[0]->len);
      return reinterpret_cast<const std::byte*>(entry->element[1]->element[1]->str);
    }
    bool fetch() {
      reply.reset(static_cast<redisReply*>(redisCommand(connection.get(), "XREAD COUNT %s BLOCK %s STREAMS feed %s",
                                                        kReadCount, kTurn_ms, last_id.c_str())));
      if (!reply) throw std::runtime_error("reading from redis failed");
      if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
      next = count = 0;
      if (reply->type != REDIS_REPLY_ARRAY) return false;
      entries = reply->element[0]->element[1];
      count = entries->elements;
      return count > 0;
    }
    Connection connection;
    Reply reply;
    const redisReply* entries = nullptr;
    std::size_t next = 0;
    std::size_t count = 0;
    std::string last_id = "0-0";
  };

 private:
  std::string socket_;
  Daemon server_;
};

}  // namespace

std::unique_ptr<Transport> make_redis() { return std::make_unique<Driver<Redis<1>>>(); }
std::unique_ptr<Transport> make_redis_pipelined() { return std::make_unique<Driver<Redis<kPipelineDepth>>>(); }

}  // namespace leat::bench
#else
namespace leat::bench {
std::unique_ptr<Transport> make_redis() { return absent("redis", "libhiredis-dev"); }
std::unique_ptr<Transport> make_redis_pipelined() { return absent("redis-pipelined", "libhiredis-dev"); }
}  // namespace leat::bench
#endif
