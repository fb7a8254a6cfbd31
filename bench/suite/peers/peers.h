// One maker for each transport; all_transports() calls them in this order.
#pragma once

#include <memory>

#include "bench/suite/peer.h"

namespace leat::bench {

std::unique_ptr<Transport> make_leat();
std::unique_ptr<Transport> make_leat_batch();
std::unique_ptr<Transport> make_leat_synced();
std::unique_ptr<Transport> make_leat_journal();
std::unique_ptr<Transport> make_message_queue();
std::unique_ptr<Transport> make_lockfree_queue();
std::unique_ptr<Transport> make_seqpacket();
std::unique_ptr<Transport> make_zeromq();
std::unique_ptr<Transport> make_iceoryx();
std::unique_ptr<Transport> make_redis();
std::unique_ptr<Transport> make_redis_pipelined();
std::unique_ptr<Transport> make_nats();
std::unique_ptr<Transport> make_nats_async();

}  // namespace leat::bench
