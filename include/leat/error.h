// What can go wrong, said the same way everywhere: a code for programs, a sentence for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace leat {

/// Stable error codes of the public API. The numeric values travel over the control socket, so they never change.
enum class ErrorCode : std::uint32_t {
  ok = 0,
  no_broker = 1,          ///< nothing listens on the feed's socket
  unknown_feed = 2,       ///< neither a socket nor a journal of that name
  permission_denied = 3,  ///< the feed's rules, or file modes, do not admit this user
  layout_mismatch = 4,    ///< client and broker were built for different shared layouts
  invalid_argument = 5,   ///< an option, name or value outside its bounds
  too_large = 6,          ///< the event or batch exceeds a bound of the feed
  bad_topic = 7,          ///< the topic breaks the rules of include/leat/topic_filter.h
  would_block = 8,        ///< arena or inbound ring full; nothing was published
  timed_out = 9,          ///< the deadline passed
  feed_failed = 10,       ///< the broker stopped accepting (disk error); reading goes on
  revoked = 11,           ///< the broker refused this producer for breaking the protocol
  receipt_expired = 12,   ///< committed, but its sequence is no longer held in the arena
  refused = 13,           ///< the broker refused the event (named in the message)
  corrupt = 14,           ///< stored bytes fail their check
  io_error = 15,          ///< a system call failed
  no_space = 16,          ///< tmpfs or disk full
  busy = 17,              ///< another broker, or no free slot
  ephemeral = 18,         ///< the event was marked durable=false and so never enters a feed
  protocol_error = 19,    ///< the peer sent something that is not in the protocol
  closed = 20,            ///< the handle was closed or moved from
  used_after_fork = 21,   ///< the handle belongs to the parent of this process: connect anew here
  untrusted = 22,  ///< who listens, or who owns the directory, is neither this user, nor root, nor the owner named
  pending = 23,    ///< published, and will be journaled, but not seen to be within the time-out: wait on, do not repeat
};

/// Short fixed name of a code, e.g. "no_broker". Never null.
std::string_view error_name(ErrorCode code) noexcept;

/// One error: a code for programs, and a sentence for people that says what happened, where, and what to do about it.
/// `message` is the whole sentence; what() and advice() are its two parts, for a program that shows them apart or has
/// advice of its own to give where there is none.
struct Error {
  /// How the sentence goes on where its advice begins.
  enum class Join : char { semicolon = ';', colon = ':' };

  ErrorCode code = ErrorCode::ok;

 private:
  // Counted from the end of `message`: a context may be put in front of it.
  std::uint32_t advice_bytes_ = 0;

 public:
  std::string message;  ///< "<what>" or "<what>; <advice>", all that is to be printed

  Error() = default;
  /// Nothing is known of what to do about it.
  Error(ErrorCode error_code, std::string what_happened) : code(error_code), message(std::move(what_happened)) {}
  /// Empty advice is none.
  Error(ErrorCode error_code, std::string what_happened, std::string_view advice, Join join = Join::semicolon);
  /// Of a sentence that came from elsewhere, as advice_at() of the error there said. Any place is taken: one not
  /// just behind "; " or ": ", with something before and after it, means that there is no advice.
  static Error from_sentence(ErrorCode code, std::string sentence, std::size_t advice_at);

  /// What happened, and where. A view of `message`.
  [[nodiscard]] std::string_view what() const noexcept;
  /// What to do about it, or empty. A view of `message`.
  [[nodiscard]] std::string_view advice() const noexcept;

  /// Where in `message` the advice begins; 0: there is none.
  [[nodiscard]] std::size_t advice_at() const noexcept;

  /// The same error, as seen from further away: "<context>: <what>; <advice>".
  [[nodiscard]] Error in(std::string_view context) const;
  /// The same error with something more to do about it, behind what is advised already.
  [[nodiscard]] Error with_advice(std::string_view more) const;
};

/// Builds an io_error (or no_space, permission_denied by errno) as "<what>: <strerror> (errno N)", and advice where the
/// errno alone says what to do: "free some space there".
Error system_error(int error_number, std::string_view what);

}  // namespace leat
