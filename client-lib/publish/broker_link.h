// A producer's link with its broker: the connection, the registration, and the way to the broker's successor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <leat/producer.h>

#include "base/clock.h"
#include "base/process_mark.h"
#include "client-lib/connect/connection.h"
#include "client-lib/publish/bounds.h"
#include "client-lib/publish/losses.h"
#include "client-lib/publish/open_claim.h"
#include "client-lib/publish/refusals.h"
#include "client-lib/publish/registration.h"

namespace leat::client {

/// Registers with a feed's broker, and, once that broker is gone, with its successor: by the token of the registration
/// where the successor has adopted the rings, else anew. What the ring says of another broker is believed only once the
/// connection is gone, as any producer can write there. One thread.
class BrokerLink {
 public:
  /// What changes when one registration follows another. All outlive this object.
  struct Dependents {
    Bounds& bounds;
    Losses& losses;
    Refusals& refusals;
    OpenClaim& claim;
  };
  BrokerLink(const ProducerOptions& options, const Dependents& dependents);
  BrokerLink(const BrokerLink&) = delete;
  BrokerLink& operator=(const BrokerLink&) = delete;
  /// Says to the broker that nothing more will come.
  ~BrokerLink();

  /// Finds out, once, where the feed's broker is, and registers there. Errors: see Producer::connect.
  Result<void> open();

  /// False in a fork's child: the registration is that of the parent.
  [[nodiscard]] bool is_ours() const noexcept { return owner_.is_here(); }
  [[nodiscard]] Registration& registration() noexcept { return registration_; }
  [[nodiscard]] const Registration& registration() const noexcept { return registration_; }

  /// Looks whether ring, broker and connection are still those of this registration, and registers with a successor.
  /// Should the broker's files be gone with it, only the connection shows that.
  void look() noexcept;
  /// Until the next look at least so many bytes may be published. 0: the calls are so rare that each of them looks.
  [[nodiscard]] std::uint64_t stride_bytes() const noexcept { return stride_bytes_; }
  /// Of look() what follows when the broker is seen to be another: registers with the successor, if the broker is gone.
  void meet_successor(std::int64_t now_ns) noexcept;
  /// A broker was reached just now, and is to report its bounds in a moment. A broker that is silent for long hangs,
  /// and is not waited for.
  [[nodiscard]] bool bounds_are_coming(std::int64_t now_ns) const noexcept;

  [[nodiscard]] bool broker_has_gone() const noexcept { return peer_has_gone(connection_.socket.get()); }
  [[nodiscard]] bool feed_has_failed() const noexcept { return registration_.shows_failure() && failure_is_real(); }
  /// The ring is gone, and the feed's broker does not let this producer into the new one.
  [[nodiscard]] bool is_barred() const noexcept { return barred_.has_value(); }
  [[nodiscard]] Error barred_error() const;
  /// There was no room for an event within publish_timeout.
  [[nodiscard]] Error full_error() const;

 private:
  /// To reach the broker's successor, which has not answered yet.
  struct Attempt {
    Connecting connecting;
    bool resumes = false;  // by the token; else as a new producer
    std::int64_t deadline_ns = 0;
  };

  void begin_attempt(std::int64_t now_ns, bool resumes);
  void continue_attempt(std::int64_t now_ns, std::int64_t patience_ns);
  void take_answer(std::int64_t now_ns, std::int64_t patience_ns, bool resumed,
                   Result<std::optional<Connection>> answer);
  void take_resumed(Connection connected);
  Result<void> take_registration(Connection connected);
  void note_refusal(const Error& refusal);
  void bar(std::optional<Error> why);
  [[nodiscard]] bool failure_is_real() const noexcept;
  [[nodiscard]] std::string broker_is_away() const;

  Registration registration_;  // the first: publishing touches nothing else
  const ProducerOptions& options_;
  const Dependents dependents_;
  internal::ProcessOwner owner_;
  Endpoint endpoint_;
  Connection connection_;
  std::optional<Attempt> attempt_;
  std::optional<Error> last_failure_;  // of an attempt
  std::optional<Error> barred_;
  std::uint64_t stride_bytes_ = 0;
  std::int64_t last_look_ns_ = 0;
  std::int64_t quiet_ns_ = 100 * internal::kNanosPerMilli;  // between two looks: then each call looks
  std::int64_t next_connection_look_ns_ = 0;
  std::int64_t next_resume_ns_ = 0;
  std::uint64_t attempted_incarnation_ = 0;  // what the ring showed when a successor was tried last
};

}  // namespace leat::client
