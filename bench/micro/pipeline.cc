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
  broker::Log::set_level("error");
  root_ = "/dev/shm/leat-bench-" + std::to_string(::getpid());
  journal_root_ = std::filesystem::temp_directory_path() / root_.filename();
  std::filesystem::remove_all(root_);
  std::filesystem::remove_all(journal_root_);
  std::filesystem::create_directories(root_ / "shm");
  std::filesystem::create_directories(journal_root_);
  broker::Options options;
  options.feed = "bench";
  options.max_producers = 16;
  const std::string directory = journal_root_.string();
  journal_fd_ = UniqueFd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  feed_ = std::make_unique<broker::Feed>(options,
                                         broker::FeedPlaces{.journal = {.fd = journal_fd_.get(), .path = directory},
                                                            .rings = root_ / "shm"},
                                         broker::StageHooks{.failed = [](const Error&) { std::abort(); }});
  must(feed_->open());
  broker::ProducerRegistry& registry = feed_->registry();
  registration_ = must(registry.add({}, "bench", arena_bytes));
  arena_mapping_ =
      must(Mapping::map_mirrored(registry.arena_of_last_add().fd.get(), Access::read_write, kPageBytes, arena_bytes));
  producer_ = InboundProducer(feed_->files().inbound.data(), options.inbound_slots, options.max_producers);
  arena_ = ArenaWriter(arena_mapping_.data(), arena_bytes, 0);
  segments();
}

Pipeline::~Pipeline() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
  std::filesystem::remove_all(journal_root_, ignored);
}

std::uint64_t Pipeline::feed_seed() const { return feed_checksum_seed(feed_->recovered().identity.uuid); }

void Pipeline::segments() {
  broker::JournalHandover& handover = feed_->stages().handover;
  handover.rolled.consume_all([&](const broker::RollNotice& notice) {
    const std::unique_ptr<broker::MappedSegment> sealed(notice.sealed);
    if (!sealed) return;
    auto recycled = feed_->pool().recycle(sealed->name);
    if (!recycled) must(Result<void>(recycled.error()));
  });
  while (handover.prepared.read_available() < 2) handover.prepared.push(must(feed_->pool().prepare()).release());
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
