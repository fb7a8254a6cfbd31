#include "broker/control/status_rows.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "broker/control/connection.h"
#include "broker/control/producer_session.h"
#include "broker/control/roster.h"
#include "broker/rings/runtime_files.h"
#include "broker/producers/producer_table.h"
#include "broker/rings/registry_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

using namespace internal;

namespace {

void store_name(Counter (&words)[4], std::string_view name) {
  char padded[kClientNameBytes] = {};
  std::memcpy(padded, name.data(), std::min(name.size(), sizeof padded));
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, padded + i * kWordBytes, kWordBytes);
    words[i].store(word, std::memory_order_relaxed);
  }
}

}  // namespace

void StatusRows::show_consumer(std::uint32_t slot, const Connection& connection) {
  LEAT_ASSERT(slot < files_.consumer_slots());
  ConsumerRow& row = consumer_rows(files_.status.data(), files_.producer_slots())[slot];
  row.pid.store(connection.peer.pid, std::memory_order_relaxed);
  row.uid.store(connection.peer.uid, std::memory_order_relaxed);
  store_name(row.name, connection.name);
  row.state.store(ClientState::connected, std::memory_order_release);
}

void StatusRows::clear_consumer(std::uint32_t slot) {
  LEAT_ASSERT(slot < files_.consumer_slots());
  consumer_rows(files_.status.data(), files_.producer_slots())[slot].state.store(ClientState::free);
}

void StatusRows::clear_producer(std::uint32_t slot) {
  LEAT_ASSERT(slot < files_.producer_slots());
  producer_rows(files_.status.data())[slot].state.store(ClientState::free);
}

void StatusRows::refresh(const Roster& roster) {
  for (const ProducerSession* session : roster.producers()) refresh_producer(*session);
  ControlCounters& counters = files_.status_header().control;
  counters.producers.store(roster.producers().size(), std::memory_order_relaxed);
  counters.consumers.store(roster.count_consumers(), std::memory_order_relaxed);
  bump(counters.refreshes);
}

void StatusRows::refresh_producer(const ProducerSession& session) {
  const std::byte* base = table_.base(session.slot());
  if (base == nullptr) return;
  const RegistrySlot& slot = files_.registry_slots()[session.slot()];
  ProducerRow& row = producer_rows(files_.status.data())[session.slot()];
  const auto& arena = *reinterpret_cast<const ArenaHeader*>(base);
  ClientState state = session.connection().socket.valid() ? ClientState::connected : ClientState::adopted;
  if (slot.revoked.load(std::memory_order_relaxed) != 0) state = ClientState::revoked;
  row.producer_id.store(slot.producer_id, std::memory_order_relaxed);
  row.pid.store(slot.pid, std::memory_order_relaxed);
  row.uid.store(slot.uid, std::memory_order_relaxed);
  // What the producer writes of itself is shown as it stands: it can only make itself look odd.
  row.would_block_arena.store(arena.would_block_arena.load(std::memory_order_relaxed));
  row.would_block_ring.store(arena.would_block_ring.load(std::memory_order_relaxed));
  row.retried_tickets.store(arena.retried_tickets.load(std::memory_order_relaxed));
  row.arena_bytes.store(slot.arena_bytes, std::memory_order_relaxed);
  const std::uint64_t used = arena.tail.load(std::memory_order_relaxed) - slot.consumed.load();
  row.arena_used_bytes.store(std::min(used, slot.arena_bytes), std::memory_order_relaxed);
  store_name(row.name, std::string_view(slot.name, ::strnlen(slot.name, sizeof slot.name)));
  row.state.store(state, std::memory_order_release);
}

void StatusRows::count_refusal() { bump(files_.status_header().control.refused_connections); }

}  // namespace leat::broker
