#include "broker/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "broker/log_writer.h"

namespace leat::broker {
namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%f leatd[%P] [%^%l%$] %v";

bool terminal_takes_colours() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

constexpr std::array<std::string_view, 7> kColours =
    {"\033[37m", "\033[36m", "\033[32m", "\033[33m\033[1m", "\033[31m\033[1m", "\033[1m\033[41m", ""};

// Not spdlog's base_sink: that one holds its lock while it waits, and others would wait with it.
class WriterSink : public spdlog::sinks::sink {
 public:
  WriterSink(LogWriter& writer, bool coloured) : writer_(writer), coloured_(coloured) {}

  void log(const spdlog::details::log_msg& message) override {
    std::string line;
    {
      const std::lock_guard lock(mutex_);
      spdlog::memory_buf_t text;
      formatter_->format(message, text);
      line.assign(text.data(), text.size());
    }
    if (coloured_ && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, "\033[m");
      line.insert(message.color_range_start, kColours[static_cast<std::size_t>(message.level)]);
    }
    writer_.push(std::move(line));
    if (message.level == spdlog::level::critical) writer_.flush(Log::kCriticalWaitNs);
  }
  void flush() override {}
  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    const std::lock_guard lock(mutex_);
    formatter_ = std::move(formatter);
  }

 private:
  LogWriter& writer_;
  bool coloured_;
  std::mutex mutex_;
  std::unique_ptr<spdlog::formatter> formatter_ = std::make_unique<spdlog::pattern_formatter>(kPattern);
};

// Not through the logger, which could only push it behind what is lost next.
std::string loss_line(std::uint64_t lost, const std::string& why) {
  const std::string text = std::to_string(lost) + (lost == 1 ? " line" : " lines") +
                           " of this log could not be written (" + why + ") and " + (lost == 1 ? "is" : "are") +
                           " lost; the feed was not held up";
  spdlog::memory_buf_t buffer;
  spdlog::pattern_formatter(kPattern).format(spdlog::details::log_msg("leatd", spdlog::level::warn, text), buffer);
  return {buffer.data(), buffer.size()};
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(const std::string& level, const std::string& file) {
  auto writer = LogWriter::start(file, loss_line);
  if (!writer) return writer.error();
  auto sink = std::make_shared<WriterSink>(**writer, file.empty() && terminal_takes_colours());
  auto logger = std::make_shared<spdlog::logger>("leatd", std::move(sink));
  logger->set_pattern(kPattern);
  spdlog::set_default_logger(std::move(logger));
  set_level(level);
  return std::unique_ptr<Log>(new Log(std::move(*writer)));
}

Log::Log(std::unique_ptr<LogWriter> writer) : writer_(std::move(writer)) {}

void Log::reopen() { writer_->reopen(); }

// Nobody who logs after this finds the writer gone.
Log::~Log() {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("leatd", std::make_shared<spdlog::sinks::null_sink_mt>()));
}

void Log::set_level(const std::string& level) { spdlog::default_logger()->set_level(spdlog::level::from_str(level)); }

}  // namespace leat::broker

namespace leat::broker::log {
namespace {

spdlog::level::level_enum of_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
    case Level::critical: break;
  }
  return spdlog::level::critical;
}

spdlog::string_view_t of_spdlog(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void Value::append_to(std::string& line, int base, std::size_t least_digits) const {
  if (kind_ == Kind::text) {
    line += text_;
    return;
  }
  std::array<char, 64> digits{};
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number_, base).ptr;
  const auto count = static_cast<std::size_t>(end - digits.data());
  const std::size_t sign = kind_ == Kind::negative ? 1 : 0;
  line.append(sign, '-');
  line.append(std::max(least_digits, count + sign) - count - sign, '0');
  line.append(digits.data(), count);
}

std::string formatted(std::string_view format, std::span<const Value> values) {
  std::string line;
  std::size_t from = 0;
  for (const Value& value : values) {
    const Field field = next_field(format, from);
    if (field.end > format.size()) break;
    line += format.substr(from, field.begin - from);
    value.append_to(line, field.base, field.least_digits);
    from = field.end;
  }
  line += format.substr(from);
  return line;
}

void write(Level level, std::string_view format, std::span<const Value> values) noexcept {
  try {
    spdlog::logger* const logger = spdlog::default_logger_raw();
    if (!logger->should_log(of_spdlog(level))) return;
    std::string line;
    try {
      line = formatted(format, values);
    } catch (const std::exception&) {
      logger->log(of_spdlog(level), of_spdlog(format));
      return;
    }
    logger->log(of_spdlog(level), of_spdlog(line));
  } catch (...) {  // a line that cannot be written ends nobody's work
  }
}

}  // namespace leat::broker::log
