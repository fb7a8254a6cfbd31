#include "tests/interleave/feed_world.h"

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>

#include "broker/log.h"
#include "broker/rings/registry_layout.h"
#include "broker/feed/stages.h"
#include "shm/status/status_layout.h"
#include "tests/interleave/roles.h"
#include "base/check.h"

namespace leat::sim {

using namespace internal;

namespace {

constexpr std::uint32_t kMaxProducers = 3;
constexpr std::uint64_t kSegmentBytes = 256 * 1024;
constexpr std::uint64_t kFeedSeed = 0x1ea7;
constexpr std::size_t kInboundAt = 0;
constexpr std::size_t kRingAt = 2 * kPageBytes;
constexpr std::size_t kDoorbellAt = 5 * kPageBytes;
constexpr std::size_t kArenasAt = 6 * kPageBytes;
constexpr std::size_t kArenaStride = 2 * kPageBytes;
constexpr std::size_t kMemoryBytes = kArenasAt + kMaxProducers * kArenaStride;

/// Everything that a seed decides before the first step.
struct Plan {
  explicit Plan(Random& random)
      : producers(static_cast<std::uint32_t>(random.between(1, kMaxProducers))),
        consumers(static_cast<std::uint32_t>(random.between(1, 2))),
        slots(producers > 2 || random.once_in(2) ? 8 : 4),  // as check_options wants it: twice the producers
        ring_bytes(random.once_in(2) ? 1024 : 2048),
        arena_bytes(random.once_in(2) ? 512 : 1024),
        switch_one_in(pick(random, {1, 2, 4, 12})),
        stale_one_in(pick(random, {0, 2, 4, 16})),
        many_events(random.once_in(4)) {}
  static std::uint64_t pick(Random& random, std::initializer_list<std::uint64_t> from) {
    return *(from.begin() + random.below(from.size()));
  }
  std::uint32_t producers;
  std::uint32_t consumers;
  std::uint64_t slots;
  std::uint64_t ring_bytes;
  std::uint64_t arena_bytes;
  std::uint64_t switch_one_in;
  std::uint64_t stale_one_in;
  bool many_events;
};

struct Run {
  std::vector<std::unique_ptr<ProducerRole>> producers;
  std::vector<std::unique_ptr<ConsumerRole>> consumers;
  std::vector<int> producer_fibers;
  broker::RegistryHeader registry{};
  std::vector<broker::RegistrySlot> slots{kMaxProducers};
  std::vector<ProducerRow> rows{kMaxProducers};
  SequencerCounters counters{};
  RealTime time;
  std::unique_ptr<broker::Stages> stages;
};

struct Journaled {
  std::uint32_t producer_id;
  std::uint64_t producer_sequence;
  bool more_in_batch;
  std::string payload;
};

}  // namespace

struct FeedWorld::Parts {
  Parts() : memory(kMemoryBytes), scheduler(memory) {
    broker::Log::set_level("off");
    options.feed = "interleave";
    options.max_event_bytes = 256;
    options.segment_bytes = kSegmentBytes;
    options.idle = IdleStrategy::block;
    options.skip_wait_us = 0;
    segment = std::make_unique<broker::MappedSegment>();
    segment->fd = UniqueFd(::memfd_create("leat-interleave", MFD_CLOEXEC));
    LEAT_ASSERT(segment->fd.valid() && ::ftruncate(segment->fd.get(), kSegmentBytes) == 0);
    auto mapped = Mapping::map(segment->fd.get(), Access::read_write, 0, kSegmentBytes);
    LEAT_ASSERT(mapped.ok());
    segment->mapping = std::move(*mapped);
    segment->file_bytes = kSegmentBytes;
    journal_bytes = segment->mapping.data() + segment_geometry(kSegmentBytes).data_offset;
  }

  std::byte* at(std::size_t offset) { return memory.base() + offset; }
  std::byte* arena(std::uint32_t slot) { return at(kArenasAt + slot * kArenaStride); }

  void set_up(const Plan& plan, Random& random, Run& run);
  broker::StageParts lay_out(const Plan& plan, Run& run);
  void add_fibers(const Plan& plan, Random& random, Run& run);
  bool sequencer_has_work(const Plan& plan);
  bool somebody_owes_a_wake(const Plan& plan, const Run& run);
  std::string check(const Plan& plan, const Run& run);
  std::string check_producer(const ProducerRole& producer, bool killed,
                             const std::map<std::uint64_t, std::uint64_t>& sequence_of);
  std::string check_real_time(const Run& run, const std::vector<std::map<std::uint64_t, std::uint64_t>>& sequences);
  std::string check_skips(const Run& run);

  Memory memory;
  Scheduler scheduler;
  broker::Options options;
  std::unique_ptr<broker::MappedSegment> segment;
  const std::byte* journal_bytes = nullptr;
};

broker::StageParts FeedWorld::Parts::lay_out(const Plan& plan, Run& run) {
  auto& inbound = *reinterpret_cast<InboundHeader*>(at(kInboundAt));
  inbound.broker_life.store(1);
  inbound.max_producers = plan.producers;
  auto& ring = *reinterpret_cast<BroadcastHeader*>(at(kRingAt));
  ring.max_record_bytes = static_cast<std::uint32_t>(broker::max_record_bytes(options));
  for (Watermark& mark : ring.latest) mark.position.store(BroadcastWriter::kNoPosition);
  broker::StageParts parts{.inbound = InboundConsumer(at(kInboundAt), plan.slots, 0),
                           .ring = BroadcastWriter(at(kRingAt), plan.ring_bytes),
                           .journal = std::make_unique<broker::JournalWriter>(JournalDirectory{-1, "simulated"},
                                                                              FeedUuid{}, kFeedSeed, 1),
                           .doorbell = reinterpret_cast<DoorbellHeader*>(at(kDoorbellAt)),
                           .registry = &run.registry,
                           .counters = &run.counters,
                           .producer_slots = plan.producers,
                           .next_producer_id = kMaxProducers + 1};
  parts.ring.commit(0, 0);
  parts.journal->attach(std::move(segment), 0);
  memory.add_mirror(kRingAt + kBroadcastDataOffset, plan.ring_bytes);
  for (std::uint32_t slot = 0; slot < plan.producers; ++slot) {
    memory.add_mirror(kArenasAt + slot * kArenaStride + kArenaDataOffset, plan.arena_bytes, static_cast<int>(slot));
  }
  return parts;
}

void FeedWorld::Parts::set_up(const Plan& plan, Random& random, Run& run) {
  options.ring_bytes = plan.ring_bytes;
  run.stages =
      std::make_unique<broker::Stages>(options, lay_out(plan, run), broker::SequencerStart{.feed_seed = kFeedSeed},
                                       broker::StageHooks{.failed = [this](const Error& error) {
                                         scheduler.fail("failed: " + error.message);
                                       }});
  for (std::uint32_t slot = 0; slot < plan.producers; ++slot) {
    const std::uint64_t events = plan.many_events ? random.between(4, 12) : random.between(1, 4);
    run.producers.push_back(std::make_unique<ProducerRole>(scheduler, run.time, slot + 1, events, random.next()));
    run.producers.back()->attach(at(kInboundAt), plan.slots, plan.producers, arena(slot), plan.arena_bytes,
                                 plan.ring_bytes);
    run.stages->lanes.commands.push({.kind = broker::LaneCommand::Kind::add,
                                     .slot = slot,
                                     .generation = 1,
                                     .producer_id = slot + 1,
                                     .max_record_bytes = static_cast<std::uint32_t>(broker::max_record_bytes(options)),
                                     .arena_base = arena(slot),
                                     .arena_bytes = plan.arena_bytes,
                                     .last_producer_sequence = 0,
                                     .registry = &run.slots[slot],
                                     .row = &run.rows[slot]});
  }
  for (std::uint32_t i = 0; i < plan.consumers; ++i) {
    run.consumers.push_back(std::make_unique<ConsumerRole>(scheduler, "consumer " + std::to_string(i + 1)));
    run.consumers.back()->attach(at(kRingAt), plan.ring_bytes, reinterpret_cast<DoorbellHeader*>(at(kDoorbellAt)),
                                 journal_bytes, kFeedSeed);
  }
}

// A filled ticket is something to do; so is one behind a ticket that nobody fills, which holds up nobody (I5).
bool FeedWorld::Parts::sequencer_has_work(const Plan& plan) {
  const std::byte* const slots = at(kInboundAt + kInboundSlotsOffset);
  for (std::uint64_t i = 0; i < plan.slots; ++i) {
    if (is_full(Memory::newest(slots + 8 * i, 8))) return true;
  }
  return false;
}

// Between the swap that publishes and the wake-up, a producer that is stopped or killed leaves the sequencer asleep.
bool FeedWorld::Parts::somebody_owes_a_wake(const Plan& plan, const Run& run) {
  const std::byte* const slots = at(kInboundAt + kInboundSlotsOffset);
  for (std::size_t p = 0; p < run.producers.size(); ++p) {
    const auto state = scheduler.state(run.producer_fibers[p]);
    const ProducerRole& producer = *run.producers[p];
    if ((state != Scheduler::State::stopped && state != Scheduler::State::dead) || !producer.in_publish()) continue;
    const std::uint64_t open = full_slot(producer.slot(), 1, producer.open_position());
    if (run.slots[producer.slot()].consumed.load() > producer.open_position()) return true;
    for (std::uint64_t i = 0; i < plan.slots; ++i) {
      if (Memory::newest(slots + 8 * i, 8) == open) return true;
    }
  }
  return false;
}

void FeedWorld::Parts::add_fibers(const Plan& plan, Random& random, Run& run) {
  const auto weight = [&] { return Plan::pick(random, {1, 2, 4, 16}); };
  for (auto& producer : run.producers) {
    FiberPlan fiber{.name = "producer " + std::to_string(producer->id()),
                    .body = [role = producer.get()] { role->run(); },
                    .weight = weight()};
    if (random.once_in(3)) {
      fiber.stop_at = random.between(1, plan.many_events ? 120 : 40);
      fiber.killed = random.once_in(2);
    }
    fiber.has_work = [role = producer.get()] { return role->has_work(); };
    run.producer_fibers.push_back(scheduler.add(std::move(fiber)));
  }
  FiberPlan sequencer{.name = "sequencer", .body = [&run] { run.stages->sequencer.run(); }, .weight = weight()};
  sequencer.has_work = [this, &plan] { return sequencer_has_work(plan); };
  sequencer.excused = [this, &plan, &run] { return somebody_owes_a_wake(plan, run); };
  scheduler.add(std::move(sequencer));
  for (auto& consumer : run.consumers) {
    FiberPlan fiber{.name = "consumer", .body = [role = consumer.get()] { role->run(); }, .weight = weight()};
    if (random.once_in(4)) {
      fiber.stop_at = random.between(1, 200);
      fiber.killed = random.once_in(2);
    }
    fiber.has_work = [&run, role = consumer.get()] {
      return run.stages->sequencer.log_.committed_sequence() > role->last_sequence();
    };
    scheduler.add(std::move(fiber));
  }
}

std::string FeedWorld::Parts::check_producer(const ProducerRole& producer, bool killed,
                                             const std::map<std::uint64_t, std::uint64_t>& sequence_of) {
  const std::string name = "producer " + std::to_string(producer.id());
  std::uint64_t last = 0;
  for (const Published& call : producer.published) {
    for (std::uint32_t i = 0; i < call.count; ++i) {
      const std::uint64_t number = call.first + i;
      const auto found = sequence_of.find(number);
      if (found == sequence_of.end()) {
        if (call.returned != 0) return "lost: event " + std::to_string(number) + " of " + name;
        if (!killed) return name + " has not come to its end: event " + std::to_string(number);
        continue;
      }
      if (found->second <= last) return "reordered: event " + std::to_string(number) + " of " + name;
      if (i > 0 && found->second != last + 1)
        return "torn apart: the batch of " + name + " at " + std::to_string(number);
      last = found->second;
    }
    if (call.told_sequence != 0 && call.told_sequence != sequence_of.at(call.first)) {
      return name + " was told sequence " + std::to_string(call.told_sequence) + " for its event " +
             std::to_string(call.first) + ", which has " + std::to_string(sequence_of.at(call.first));
    }
  }
  const std::uint64_t next =
      producer.published.empty() ? 1 : producer.published.back().first + producer.published.back().count;
  if (!sequence_of.empty() && sequence_of.rbegin()->first >= next) return name + " never published what is journaled";
  return {};
}

// None may come before another that had returned before it was begun (I6).
std::string FeedWorld::Parts::check_real_time(const Run& run,
                                              const std::vector<std::map<std::uint64_t, std::uint64_t>>& sequences) {
  std::map<std::uint64_t, const Published*> by_sequence;
  for (std::size_t p = 0; p < run.producers.size(); ++p) {
    for (const Published& call : run.producers[p]->published) {
      const auto found = sequences[p].find(call.first);
      if (found != sequences[p].end()) by_sequence[found->second] = &call;
    }
  }
  std::uint64_t latest_begin = 0;
  for (const auto& [sequence, call] : by_sequence) {
    if (call->returned != 0 && call->returned < latest_begin) {
      return "sequence " + std::to_string(sequence) + " had returned before one with a smaller sequence was begun";
    }
    latest_begin = std::max(latest_begin, call->begun);
  }
  return {};
}

// Every skip refuses one swap, or is of a ticket whose producer was killed before its swap (I4).
std::string FeedWorld::Parts::check_skips(const Run& run) {
  std::uint64_t retried = 0;
  std::uint64_t dead = 0;
  for (std::size_t p = 0; p < run.producers.size(); ++p) {
    const auto* header = reinterpret_cast<const ArenaHeader*>(arena(static_cast<std::uint32_t>(p)));
    retried += Memory::newest(&header->retried_tickets, 8);
    if (scheduler.state(run.producer_fibers[p]) == Scheduler::State::dead) ++dead;
  }
  const std::uint64_t skipped = run.counters.skipped_tickets.load();
  if (skipped < retried || skipped > retried + dead) {
    return std::to_string(skipped) + " tickets were skipped, " + std::to_string(retried) + " swaps were refused, " +
           std::to_string(dead) + " producers were killed";
  }
  if (run.counters.bad_tickets.load() + run.counters.refused_entries.load() + run.counters.ring_repairs.load() +
          run.counters.duplicates.load() !=
      0) {
    return "the sequencer saw something bad: bad_tickets " + std::to_string(run.counters.bad_tickets.load()) +
           ", refused_entries " + std::to_string(run.counters.refused_entries.load()) + ", ring_repairs " +
           std::to_string(run.counters.ring_repairs.load());
  }
  return {};
}

std::string FeedWorld::Parts::check(const Plan& plan, const Run& run) {
  std::vector<Journaled> journaled;
  std::map<std::uint64_t, std::uint64_t> place_of{{0, 0}};  // position -> newest sequence below it
  std::string fault = walk_records(journal_bytes, run.stages->sequencer.position(), 0, kFeedSeed,
                                   [&](std::uint64_t end, const RecordView& record) {
                                     if (record.header.type == static_cast<std::uint16_t>(RecordType::event)) {
                                       if (record.header.sequence != journaled.size() + 1)
                                         scheduler.fail("the journal's sequences are not contiguous");
                                       journaled.push_back({record.header.producer_id, record.header.producer_sequence,
                                                            (record.header.flags & kFlagMoreInBatch) != 0,
                                                            std::string(record.payload)});
                                     }
                                     place_of[end] = journaled.size();
                                   });
  if (!fault.empty()) return "journal: " + fault;
  if (!scheduler.failure().empty()) return scheduler.failure();

  std::vector<std::map<std::uint64_t, std::uint64_t>> sequences(plan.producers);
  for (std::size_t i = 0; i < journaled.size(); ++i) {
    const Journaled& event = journaled[i];
    const bool in_batch = event.more_in_batch || (i > 0 && journaled[i - 1].more_in_batch);
    if (event.producer_id < 1 || event.producer_id > plan.producers ||
        event.payload != payload_of(event.producer_id, event.producer_sequence, in_batch)) {
      return "sequence " + std::to_string(i + 1) + " does not carry what was published";
    }
    if (!sequences[event.producer_id - 1].emplace(event.producer_sequence, i + 1).second) {
      return "repeated: event " + std::to_string(event.producer_sequence) + " of producer " +
             std::to_string(event.producer_id);
    }
  }
  for (std::size_t p = 0; p < run.producers.size(); ++p) {
    const bool killed = scheduler.state(run.producer_fibers[p]) == Scheduler::State::dead;
    if (fault = check_producer(*run.producers[p], killed, sequences[p]); !fault.empty()) return fault;
  }
  for (std::size_t c = 0; c < run.consumers.size(); ++c) {
    const ConsumerRole& consumer = *run.consumers[c];
    const auto state = scheduler.state(static_cast<int>(run.producers.size() + 1 + c));
    if (state != Scheduler::State::dead && consumer.received.size() != journaled.size()) {
      return "a consumer came to rest at sequence " + std::to_string(consumer.received.size()) + " of " +
             std::to_string(journaled.size());
    }
    for (std::size_t i = 0; i < consumer.received.size(); ++i) {
      if (consumer.received[i].producer_id != journaled[i].producer_id ||
          consumer.received[i].producer_sequence != journaled[i].producer_sequence) {
        return "a consumer got another event than the journal holds at sequence " + std::to_string(i + 1);
      }
    }
    for (const auto& [position, sequence] : consumer.places) {
      const auto place = place_of.find(position);
      if (place == place_of.end() || place->second != sequence) {
        return "read_latest() paired " + std::to_string(position) + " with sequence " + std::to_string(sequence);
      }
    }
  }
  if (fault = check_real_time(run, sequences); !fault.empty()) return fault;
  return check_skips(run);
}

FeedWorld::FeedWorld() : parts_(std::make_unique<Parts>()) {}
FeedWorld::~FeedWorld() = default;
std::string FeedWorld::run(std::uint64_t seed, Removed removed, Totals& totals, bool trace) {
  Parts& parts = *parts_;
  Random random(seed);
  const Plan plan(random);
  parts.memory.reset(removed);
  parts.scheduler.reset(random, plan.switch_one_in);
  parts.scheduler.trace = trace;
  Run run;
  parts.set_up(plan, random, run);
  parts.memory.set_stale(plan.stale_one_in);
  parts.add_fibers(plan, random, run);
  parts.scheduler.run();
  std::string fault = parts.scheduler.failure();
  if (fault.empty()) fault = parts.check(plan, run);
  parts.segment = run.stages->journal->detach();

  ++totals.runs;
  totals.steps += parts.scheduler.steps();
  totals.switches += parts.scheduler.switches();
  totals.stale_loads += parts.memory.stale_loads();
  totals.events += run.stages->sequencer.sequence();
  for (const auto& consumer : run.consumers) {
    totals.received += consumer->received.size();
    totals.lapped += consumer->lapped;
  }
  totals.skipped += run.counters.skipped_tickets.load();
  totals.ring_laps += run.stages->inbound.head() / plan.slots;
  for (std::uint32_t p = 0; p < plan.producers; ++p) {
    totals.retried += Memory::newest(&reinterpret_cast<ArenaHeader*>(parts.arena(p))->retried_tickets, 8);
    if (parts.scheduler.state(run.producer_fibers[p]) == Scheduler::State::dead) ++totals.killed;
  }
  totals.sleeps += parts.scheduler.sleeps();
  totals.stopped += parts.scheduler.stops();
  totals.late += parts.scheduler.long_timeouts();
  return fault;
}

}  // namespace leat::sim
