#include "tests/interleave/scheduler.h"

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/futex.h"

namespace leat::sim {

namespace {

Scheduler* g_current = nullptr;

/// The scheduler, if this is an operation of one of its fibers on the simulated memory; else nullptr.
Scheduler* scheduler_for(const void* at) {
  Scheduler* const scheduler = g_current;
  return scheduler != nullptr && scheduler->self() >= 0 && scheduler->memory().holds(at) ? scheduler : nullptr;
}

void plain_store(void* at, unsigned bytes, std::uint64_t value) {
  if (bytes == 8) *static_cast<std::uint64_t*>(at) = value;
  else *static_cast<std::uint32_t*>(at) = static_cast<std::uint32_t>(value);
}

// On its own, because getcontext() may return twice as far as the compiler knows.
[[gnu::noinline]] void make_context(ucontext_t& context, std::byte* stack, std::size_t bytes, void (*entry)()) {
  LEAT_ASSERT(::getcontext(&context) == 0);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = bytes;
  context.uc_link = nullptr;
  ::makecontext(&context, entry, 0);
}

}  // namespace

Scheduler::~Scheduler() = default;

Scheduler* Scheduler::current() noexcept { return g_current; }

void Scheduler::reset(Random& random, std::uint64_t switch_one_in) {
  random_ = &random;
  switch_one_in_ = switch_one_in;
  for (auto& fiber : fibers_) spare_.push_back(std::move(fiber));
  fibers_.clear();
  running_ = -1;
  now_ns_ = 0;
  steps_ = switches_ = sleeps_ = stops_ = long_timeouts_ = 0;
  failure_.clear();
}

int Scheduler::add(FiberPlan plan) {
  std::unique_ptr<Fiber> fiber;
  if (spare_.empty()) {
    fiber = std::make_unique<Fiber>();
    fiber->stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  } else {
    fiber = std::move(spare_.back());
    spare_.pop_back();
  }
  fiber->plan = std::move(plan);
  fiber->state = State::ready;
  fiber->word = nullptr;
  fiber->steps = 0;
  make_context(fiber->context, fiber->stack.get(), kStackBytes, &Scheduler::enter);
  fibers_.push_back(std::move(fiber));
  return static_cast<int>(fibers_.size()) - 1;
}

void Scheduler::enter() {
  Scheduler& scheduler = *g_current;
  Fiber& self = *scheduler.fibers_[static_cast<std::size_t>(scheduler.running_)];
  self.plan.body();
  scheduler.memory_.collect_plain_stores(scheduler.running_);
  self.state = State::ended;
  scheduler.give_way();
}

void Scheduler::run() {
  g_current = this;
  running_ = choose_ready();
  LEAT_ASSERT(running_ >= 0);
  ::swapcontext(&outside_, &fibers_[static_cast<std::size_t>(running_)]->context);
  running_ = -1;
  g_current = nullptr;
}

void Scheduler::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

void Scheduler::switch_to(int next) {
  Fiber& from = *fibers_[static_cast<std::size_t>(running_)];
  running_ = next;
  ++switches_;
  ::swapcontext(&from.context, next < 0 ? &outside_ : &fibers_[static_cast<std::size_t>(next)]->context);
}

int Scheduler::choose_ready() {
  std::uint64_t total = 0;
  for (const auto& fiber : fibers_) {
    if (fiber->state == State::ready) total += fiber->plan.weight;
  }
  if (total == 0) return -1;
  std::uint64_t left = random_->below(total);
  for (std::size_t i = 0; i < fibers_.size(); ++i) {
    if (fibers_[i]->state != State::ready) continue;
    if (left < fibers_[i]->plan.weight) return static_cast<int>(i);
    left -= fibers_[i]->plan.weight;
  }
  return -1;
}

// The fiber that runs cannot go on, or need not.
void Scheduler::give_way() {
  int next = failure_.empty() ? choose_ready() : -1;
  if (next < 0 && failure_.empty()) next = rest();
  if (next != running_) switch_to(next);
}

void Scheduler::step() {
  Fiber& self = *fibers_[static_cast<std::size_t>(running_)];
  ++steps_;
  ++self.steps;
  if (steps_ > kMaxSteps) {
    fail("no end: " + self.plan.name + " still runs after " + std::to_string(kMaxSteps) + " steps of all");
  }
  if (!failure_.empty()) {
    give_way();
  } else if (self.steps == self.plan.stop_at) {
    ++stops_;
    self.state = self.plan.killed ? State::dead : State::stopped;
    if (trace) std::fprintf(stderr, "%-12s is %s\n", self.plan.name.c_str(), self.plan.killed ? "killed" : "stopped");
    give_way();
  } else if (random_->once_in(switch_one_in_)) {
    give_way();
  }
}

// Ends the sleep that ends first: a poll, or one that has lost its wake-up and is forgiven.
int Scheduler::wake_earliest() {
  int earliest = -1;
  for (std::size_t i = 0; i < fibers_.size(); ++i) {
    const Fiber& fiber = *fibers_[i];
    if (fiber.state != State::asleep) continue;
    if (!fiber.polls && !(fiber.plan.has_work() && fiber.plan.excused())) continue;
    if (earliest < 0 || fiber.wakes_at_ns < fibers_[static_cast<std::size_t>(earliest)]->wakes_at_ns) {
      earliest = static_cast<int>(i);
    }
  }
  if (earliest < 0) return -1;
  Fiber& fiber = *fibers_[static_cast<std::size_t>(earliest)];
  now_ns_ = std::max(now_ns_, fiber.wakes_at_ns);
  fiber.state = State::ready;
  if (!fiber.polls) ++long_timeouts_;
  return earliest;
}

// Nobody can run. Returns who goes on; -1: this is the end.
int Scheduler::rest() {
  for (const auto& fiber : fibers_) {
    if (fiber->state == State::asleep && !fiber->polls && fiber->plan.has_work() && !fiber->plan.excused()) {
      fail(fiber->plan.name + " sleeps although there is something to do, and nobody is going to wake it");
      return -1;
    }
  }
  // Those who poll need none of the stopped: whatever they wait for comes without them (I5).
  if (const int sleeper = wake_earliest(); sleeper >= 0) return sleeper;
  std::vector<int> stopped;
  for (std::size_t i = 0; i < fibers_.size(); ++i) {
    if (fibers_[i]->state == State::stopped) stopped.push_back(static_cast<int>(i));
  }
  if (stopped.empty()) return -1;
  const int next = stopped[random_->below(stopped.size())];
  if (trace) std::fprintf(stderr, "%-12s goes on\n", fibers_[static_cast<std::size_t>(next)]->plan.name.c_str());
  fibers_[static_cast<std::size_t>(next)]->state = State::ready;
  return next;
}

void Scheduler::sleep(const void* word, std::uint32_t expected, std::int64_t timeout_ns) {
  if (timeout_ns <= 0) return;
  const int me = running_;
  memory_.collect_plain_stores(me);
  step();
  memory_.kernel_fence(me);
  const auto value = static_cast<std::uint32_t>(memory_.load(me, word, 4, std::memory_order_relaxed, *random_));
  trace_operation("futex_wait", word, value);
  constexpr std::uint64_t kOneSpuriousIn = 32;
  if (value != expected || random_->once_in(kOneSpuriousIn)) return;
  Fiber& self = *fibers_[static_cast<std::size_t>(me)];
  ++sleeps_;
  self.word = word;
  self.polls = timeout_ns <= kLongestPollNs;
  self.wakes_at_ns = now_ns_ + timeout_ns;
  self.state = State::asleep;
  give_way();
  self.word = nullptr;
  memory_.kernel_fence(me);
}

int Scheduler::wake(const void* word, int count) {
  const int me = running_;
  memory_.collect_plain_stores(me);
  step();
  memory_.kernel_fence(me);
  trace_operation("futex_wake", word, 0);
  int woken = 0;
  for (auto& fiber : fibers_) {
    if (woken == count) break;
    if (fiber->state != State::asleep || fiber->word != word) continue;
    fiber->state = State::ready;
    ++woken;
  }
  return woken;
}

void Scheduler::trace_operation(const char* what, const void* at, std::uint64_t value) const {
  if (!trace) return;
  const std::ptrdiff_t offset = at == nullptr ? -1 : static_cast<const std::byte*>(at) - memory_.base();
  std::fprintf(stderr, "%-12s %-12s at %6td value %llu\n",
               fibers_[static_cast<std::size_t>(running_)]->plan.name.c_str(), what, offset,
               static_cast<unsigned long long>(value));
}

std::uint64_t load(const void* at, unsigned bytes, std::memory_order order) noexcept {
  Scheduler* const s = scheduler_for(at);
  if (s == nullptr) return Memory::newest(at, bytes);
  s->memory().collect_plain_stores(s->self());
  s->step();
  const std::uint64_t value = s->memory().load(s->self(), at, bytes, order, s->random());
  s->trace_operation("load", at, value);
  return value;
}

void store(void* at, unsigned bytes, std::uint64_t value, std::memory_order order) noexcept {
  Scheduler* const s = scheduler_for(at);
  if (s == nullptr) return plain_store(at, bytes, value);
  s->memory().collect_plain_stores(s->self());
  s->step();
  s->memory().store(s->self(), at, bytes, value, order);
  s->trace_operation("store", at, value);
}

std::uint64_t update(void* at, unsigned bytes, Update how, std::uint64_t operand, std::memory_order order) noexcept {
  Scheduler* const s = scheduler_for(at);
  if (s == nullptr) {
    const std::uint64_t before = Memory::newest(at, bytes);
    plain_store(at, bytes,
                how == Update::exchange ? operand
                : how == Update::add    ? before + operand
                : how == Update::bit_or ? (before | operand)
                                        : (before & operand));
    return before;
  }
  s->memory().collect_plain_stores(s->self());
  s->step();
  const std::uint64_t before = s->memory().update(s->self(), at, bytes, how, operand, order);
  s->trace_operation("update", at, before);
  return before;
}

bool compare_exchange(void* at, unsigned bytes, std::uint64_t& expected, std::uint64_t desired,
                      std::memory_order order) noexcept {
  Scheduler* const s = scheduler_for(at);
  if (s == nullptr) {
    const std::uint64_t before = Memory::newest(at, bytes);
    const bool won = before == expected;
    if (won) plain_store(at, bytes, desired);
    expected = before;
    return won;
  }
  s->memory().collect_plain_stores(s->self());
  s->step();
  const bool won = s->memory().compare_exchange(s->self(), at, bytes, expected, desired, order, s->random());
  s->trace_operation(won ? "swapped" : "swap failed", at, won ? desired : expected);
  return won;
}

void fence(std::memory_order order) noexcept {
  Scheduler* const s = g_current;
  if (s == nullptr || s->self() < 0) return;
  s->memory().collect_plain_stores(s->self());
  s->step();
  s->memory().fence(s->self(), order);
  s->trace_operation("fence", nullptr, static_cast<std::uint64_t>(order));
}

}  // namespace leat::sim

namespace leat::internal {

// In place of base/futex.cc.
void futex_wait(const void* word, std::uint32_t expected, std::int64_t timeout_ns) noexcept {
  sim::Scheduler* const s = sim::Scheduler::current();
  if (s != nullptr && s->memory().holds(word)) s->sleep(word, expected, timeout_ns);
}

int futex_wake(const void* word, int count) noexcept {
  sim::Scheduler* const s = sim::Scheduler::current();
  return s != nullptr && s->memory().holds(word) ? s->wake(word, count) : 0;
}

}  // namespace leat::internal
