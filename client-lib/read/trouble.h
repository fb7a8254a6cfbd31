// When trouble is worth a word.
#pragma once

#include <cstdint>
#include <string>

#include <leat/error.h>

namespace leat::client {

/// What keeps a reader from going on. A restart brings trouble with it that passes: a socket that nobody may use yet,
/// slots that are still taken. What lasts is the caller's to know, or he would wait in silence.
class Trouble {
 public:
  enum class Report : std::uint8_t { once, again };
  /// `why` is there. True: it has been for some time, and is to be reported now (`once`: with these words once only).
  [[nodiscard]] bool note(const Error& why, Report report);
  /// It has passed.
  void clear() noexcept { code_ = ErrorCode::ok; }
  [[nodiscard]] bool is_there() const noexcept { return code_ != ErrorCode::ok; }

 private:
  ErrorCode code_ = ErrorCode::ok;
  std::int64_t since_ns_ = 0;
  std::string reported_;
};

}  // namespace leat::client
