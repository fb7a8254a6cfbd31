#include "bench/micro/pipeline.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "broker/log.h"

namespace leat::bench {

using namespace internal;

namespace {

template <typename T>
T must(Result<T> result) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "benchmark set-up: %s\n", result.error().message.c_str());
  std::exit(1);
}
void must(Result<void> result) {
  if (result) return;
  std::fprintf(stderr, "benchmark set-up: %s\n", result.error().message.c_str());
  std::exit(1);
}

}  // namespace

Pipeline::Pipeline(std::uint64_t arena_bytes) {
  spdlog::set_level(spdlog::level::err);
  root_ = "/dev/shm/leat-bench-" + std::to_string(::getpid());
  journal_root_ = std::filesystem::temp_directory_path() / root_.filename();
  std::filesystem::remove_all(root_);
  std::filesystem::remove_all(journal_root_);
  std::filesystem::create_directories(root_ / "shm");
  std::filesystem::create_directories(journal_root_);
  options_.feed = "bench";
  options_.max_producers = 16;
  const std::string directory = journal_root_.string();
  journal_fd_ = UniqueFd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const broker::Recovered recovered = must(broker::recover_journal(journal_fd_.get(), directory, {}));
  seed_ = feed_checksum_seed(recovered.identity.uuid);
  files_ = std::make_unique<broker::RuntimeFiles>(root_ / "shm");
  must(files_->complete(options_, recovered.identity.uuid, false));
  pool_ = std::make_unique<broker::SegmentPool>(journal_fd_.get(), directory, options_.segment_bytes);
  journal_ = std::make_unique<broker::JournalWriter>(journal_fd_.get(), directory, recovered.identity.uuid, seed_,
                                                     recovered.identity.current().id);
  must(journal_->roll(must(pool_->prepare()), 1, 0));
  ring_ = BroadcastWriter(files_->broadcast.data(), options_.ring_bytes);
  ring_.header().max_record_bytes = static_cast<std::uint32_t>(broker::max_record_bytes(options_));
  ring_.commit(0, 0);
  inbound_ = InboundConsumer(files_->inbound.data(), options_.inbound_slots, 0);
  broker::SequencerParts parts;
  parts.inbound = &inbound_;
  parts.ring = &ring_;
  parts.doorbell = &files_->doorbell_header();
  parts.journal = journal_.get();
  parts.handover = &handover_;
  parts.lanes = &lanes_;
  parts.registry = &files_->registry_header();
  parts.counters = &files_->status_header().sequencer;
  parts.wake_control = [] {};
  parts.failed = [](const Error&) { std::abort(); };
  parts.next_producer_id = &next_producer_id_;
  parts.producer_slots = files_->producer_slots();
  sequencer_ =
      std::make_unique<broker::Sequencer>(options_, std::move(parts), broker::SequencerStart{.feed_seed = seed_});
  broker::ProducerRegistry registry(options_, *files_, table_, lanes_, next_producer_id_);
  registration_ = must(registry.add({}, "bench", arena_bytes));
  arena_mapping_ =
      must(Mapping::map_mirrored(registry.arena_of_last_add().fd.get(), Access::read_write, kPageBytes, arena_bytes));
  producer_ = InboundProducer(files_->inbound.data(), options_.inbound_slots, options_.max_producers);
  arena_ = ArenaWriter(arena_mapping_.data(), arena_bytes, 0);
  segments();
}

Pipeline::~Pipeline() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
  std::filesystem::remove_all(journal_root_, ignored);
}

void Pipeline::segments() {
  handover_.rolled.consume_all([&](const broker::RollNotice& notice) {
    const std::unique_ptr<broker::MappedSegment> sealed(notice.sealed);
    if (sealed)
      must(Result<void>(pool_->recycle(sealed->name).ok() ? Result<void>{} : Error{ErrorCode::io_error, "recycle"}));
  });
  while (handover_.prepared.read_available() < 2) handover_.prepared.push(must(pool_->prepare()).release());
}

bool Pipeline::publish(const Event& event) { return publish_batch(event, 1); }

bool Pipeline::publish_batch(const Event& event, std::uint32_t count) {
  const std::size_t padded = padded_record_bytes(
      record_length(event.topic.size(), event.key.size(), event.message_id.size(), event.payload.size()));
  std::byte* to = arena_.reserve(padded * count);
  if (to == nullptr || !producer_.has_room()) return false;
  for (std::uint32_t i = 0; i < count; ++i, to += padded) {
    encode_event(to, event, event.payload.size(), producer_sequence_ + i,
                 static_cast<std::uint16_t>(i + 1 < count ? kFlagMoreInBatch : 0));
  }
  arena_.seal(static_cast<std::uint32_t>(padded * count), count, producer_sequence_);
  const std::uint64_t full = full_slot(registration_.slot, registration_.generation, arena_.tail());
  if (producer_.fill(producer_.take_ticket(), full) != Fill::ok) return false;
  producer_.wake_sequencer();
  arena_.advance(padded * count);
  producer_sequence_ += count;
  return true;
}

}  // namespace leat::bench
