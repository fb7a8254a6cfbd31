// Micro-benchmarks of each stage, single-threaded: what a stage costs by itself, without cache lines moving between
// cores. The journal lies in the temporary directory and is never synced here.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <string>
#include <vector>

#include "bench/micro/pipeline.h"
#include "shm/broadcast/broadcast_ring.h"
#include "journal/read/record_buffer.h"

namespace {

using namespace leat;

constexpr std::uint32_t kEventsPerTurn = 256;

std::string payload_of(const benchmark::State& state) {
  return std::string(static_cast<std::size_t>(state.range(0)), 'x');
}

void count(benchmark::State& state, std::uint64_t events) {
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  state.SetBytesProcessed(static_cast<std::int64_t>(events) * state.range(0));
}

void BM_Publish(benchmark::State& state) {
  bench::Pipeline pipeline;
  const std::string payload = payload_of(state);
  const Event event{.topic = "bench.event", .payload = payload};
  for (auto _ : state) {
    if (pipeline.publish(event)) continue;
    state.PauseTiming();
    while (pipeline.step()) pipeline.segments();
    state.ResumeTiming();
  }
  count(state, state.iterations());
}
BENCHMARK(BM_Publish)->Arg(0)->Arg(64)->Arg(1024)->Arg(16384);

// range(1): events a ticket.
void BM_SequencerStep(benchmark::State& state) {
  bench::Pipeline pipeline(8 << 20);
  const std::string payload = payload_of(state);
  const Event event{.topic = "bench.event", .payload = payload};
  const auto batch = static_cast<std::uint32_t>(state.range(1));
  std::uint64_t events = 0;
  for (auto _ : state) {
    state.PauseTiming();
    pipeline.segments();
    for (std::uint32_t i = 0; i < kEventsPerTurn / batch; ++i)
      events += pipeline.publish_batch(event, batch) ? batch : 0;
    state.ResumeTiming();
    while (pipeline.step()) {
    }
  }
  count(state, events);
}
BENCHMARK(BM_SequencerStep)->Args({64, 1})->Args({64, 64})->Args({1024, 1})->Args({16384, 1});

void BM_Poll(benchmark::State& state) {
  bench::Pipeline pipeline(8 << 20);
  const std::string payload = payload_of(state);
  const Event event{.topic = "bench.event", .payload = payload};
  internal::BroadcastReader reader(pipeline.ring_base(), pipeline.options().ring_bytes);
  internal::RecordBuffer buffer(64 * 1024);
  buffer.restart(0);
  std::uint64_t events = 0;
  for (auto _ : state) {
    state.PauseTiming();
    pipeline.segments();
    for (std::uint32_t i = 0; i < kEventsPerTurn; ++i) pipeline.publish(event);
    while (pipeline.step()) {
    }
    state.ResumeTiming();
    for (;;) {
      internal::RecordView record;
      const auto next = buffer.next(record, pipeline.feed_seed(), reader.max_record_bytes());
      if (next == internal::RecordBuffer::Next::record) {
        benchmark::DoNotOptimize(record.payload.data());
        ++events;
        continue;
      }
      const std::uint64_t left = reader.committed() - buffer.position();
      if (left == 0) break;
      const std::size_t bytes = std::min<std::uint64_t>(left, buffer.capacity());
      if (!reader.copy(buffer.position(), bytes, buffer.room())) state.SkipWithError("lapped");
      buffer.filled(bytes, false);
    }
  }
  count(state, events);
}
BENCHMARK(BM_Poll)->Arg(64)->Arg(1024);

// The journal's share of a step: plain stores into the mapping, rolling included.
void BM_JournalAppend(benchmark::State& state) {
  std::string directory = std::filesystem::temp_directory_path() / "leat-append-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return state.SkipWithError("mkdtemp");
  const internal::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  broker::SegmentPool pool({fd.get(), directory}, 64 << 20);
  broker::JournalWriter journal({fd.get(), directory}, {}, 1, 1);
  std::uint64_t position = 0;
  const auto roll = [&] {
    auto next = pool.prepare();
    if (!next) return state.SkipWithError(next.error().message.c_str());
    auto sealed = journal.roll(std::move(*next), position + 1, position);
    if (!sealed) return state.SkipWithError(sealed.error().message.c_str());
    if (*sealed) (void)pool.recycle((*sealed)->name).ok();
  };
  roll();
  std::vector<std::uint64_t> record((static_cast<std::size_t>(state.range(0)) + 64) / 8, 1);
  const std::uint64_t bytes = record.size() * 8;
  for (auto _ : state) {
    if (!journal.has_room(bytes)) {
      state.PauseTiming();
      roll();
      state.ResumeTiming();
    }
    (void)journal.append(reinterpret_cast<const std::byte*>(record.data()), bytes);
    position += bytes;
  }
  count(state, state.iterations());
  std::filesystem::remove_all(directory);
}
BENCHMARK(BM_JournalAppend)->Arg(64)->Arg(1024)->Arg(16384);

}  // namespace

BENCHMARK_MAIN();
