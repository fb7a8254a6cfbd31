#include "history/fact.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace leat::history {
namespace {

constexpr std::array<std::string_view, 13> kKinds = {"invoke",  "accepted", "committed", "durable", "refused",
                                                     "unknown", "start",    "received",  "saving",  "reset",
                                                     "end",     "broker",   "tick"};

Error bad(std::string what) { return {ErrorCode::invalid_argument, std::move(what)}; }

/// Walks over a flat JSON object: its values are strings without escapes, and whole numbers.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void skip_blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t' || text_.front() == '\r')) take();
  }
  bool accept(char wanted) {
    skip_blanks();
    if (text_.empty() || text_.front() != wanted) return false;
    take();
    return true;
  }
  bool string(std::string_view& value) {
    if (!accept('"')) return false;
    const std::size_t end = text_.find('"');
    if (end == std::string_view::npos) return false;
    value = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    const auto strange = [](char c) { return c == '\\' || static_cast<unsigned char>(c) < ' '; };
    return std::ranges::none_of(value, strange);
  }
  bool number(std::uint64_t& value) {
    skip_blanks();
    const auto [end, failed] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (failed != std::errc{}) return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }
  [[nodiscard]] bool at_string() {
    skip_blanks();
    return !text_.empty() && text_.front() == '"';
  }
  [[nodiscard]] bool done() {
    skip_blanks();
    return text_.empty();
  }

 private:
  void take() { text_.remove_prefix(1); }
  std::string_view text_;
};

bool parse_hex(std::string_view text, std::uint64_t& value) {
  constexpr std::size_t kDigits = 16;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return text.size() == kDigits && failed == std::errc{} && end == text.data() + text.size();
}

bool set_string(Fact& fact, std::string_view name, std::string_view value) {
  if (name == "who") return fact.who = value, true;
  if (name == "from") return fact.from = value, true;
  if (name == "what") return fact.what = value, true;
  if (name == "cursor") return fact.cursor = value, true;
  if (name == "hash") return parse_hex(value, fact.hash);
  if (name == "epoch") return parse_hex(value, fact.epoch);
  if (name == "level") return fact.durable_level = value == "durable", value == "durable" || value == "live";
  if (name != "fact") return false;
  const auto found = std::ranges::find(kKinds, value);
  if (found == kKinds.end()) return false;
  fact.kind = static_cast<FactKind>(found - kKinds.begin());
  return true;
}

bool set_number(Fact& fact, std::string_view name, std::uint64_t value) {
  if (name == "at") return fact.at_ns = static_cast<std::int64_t>(value), value <= INT64_MAX;
  if (name == "number") return fact.number = value, true;
  if (name == "sequence") return fact.sequence = value, true;
  if (name == "place") return fact.place = static_cast<std::uint32_t>(value), value <= UINT32_MAX;
  if (name == "batch") return fact.batch = static_cast<std::uint32_t>(value), value <= UINT32_MAX;
  if (name == "after") return fact.has_after = true, fact.after = value, true;
  if (name == "wanted") return fact.wanted = value, true;
  if (name == "earliest") return fact.earliest = value, true;
  if (name == "latest") return fact.latest = value, true;
  return false;
}

bool needs_sequence(FactKind kind) {
  return kind == FactKind::committed || kind == FactKind::durable || kind == FactKind::received;
}

Result<Fact> check(const Fact& fact, bool kind_given) {
  if (!kind_given) return bad("no field \"fact\"");
  if (fact.at_ns <= 0) return bad("no field \"at\", the time in nanoseconds");
  const bool nobody = fact.kind == FactKind::broker || fact.kind == FactKind::tick;
  if (fact.who.empty() && !nobody) return bad("no field \"who\"");
  if (fact.kind == FactKind::received && fact.from.empty()) return bad("\"received\" without \"from\", the producer");
  if (needs_sequence(fact.kind) && fact.sequence == 0) return bad("a sequence of 0: they begin at 1");
  if (fact.batch == 0 || fact.place >= fact.batch) return bad("\"place\" does not lie within \"batch\"");
  if (fact.place > fact.number) return bad("\"number\" is too small for its place in the batch");
  return fact;
}

void append_decimal(std::string& out, std::string_view name, std::uint64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(",\"").append(name).append("\":").append(digits.data(), end);
}

void append_hex(std::string& out, std::string_view name, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.append(",\"").append(name).append("\":\"");
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[value >> shift & 15U];
  out += '"';
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out.append(",\"").append(name).append("\":\"").append(value).append("\"");
}

}  // namespace

std::string_view to_string(FactKind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

Result<Fact> parse_fact(std::string_view line) {
  Scanner scanner(line);
  Fact fact;
  bool kind_given = false;
  if (!scanner.accept('{')) return bad("not a JSON object");
  do {
    std::string_view name;
    std::string_view text;
    std::uint64_t number = 0;
    if (!scanner.string(name) || !scanner.accept(':')) return bad("expected \"name\":");
    const bool good = scanner.at_string() ? scanner.string(text) && set_string(fact, name, text)
                                          : scanner.number(number) && set_number(fact, name, number);
    if (!good) return bad("field \"" + std::string(name) + "\" is not known, or its value makes no sense");
    kind_given = kind_given || name == "fact";
  } while (scanner.accept(','));
  if (!scanner.accept('}') || !scanner.done()) return bad("the object does not end where the line ends");
  return check(fact, kind_given);
}

void append_fact(std::string& out, const Fact& fact) {
  out.append("{\"fact\":\"").append(to_string(fact.kind)).append("\"");
  append_decimal(out, "at", static_cast<std::uint64_t>(fact.at_ns));
  append_text(out, "who", fact.who);
  append_text(out, "what", fact.what);
  switch (fact.kind) {
    case FactKind::invoke:
      append_decimal(out, "number", fact.number);
      append_hex(out, "hash", fact.hash);
      if (fact.batch > 1) append_decimal(out, "place", fact.place), append_decimal(out, "batch", fact.batch);
      break;
    case FactKind::committed:
    case FactKind::durable: append_decimal(out, "sequence", fact.sequence); [[fallthrough]];
    case FactKind::accepted:
    case FactKind::refused:
    case FactKind::unknown: append_decimal(out, "number", fact.number); break;
    case FactKind::start:
      append_text(out, "level", fact.durable_level ? "durable" : "live");
      if (fact.has_after) append_decimal(out, "after", fact.after);
      append_text(out, "cursor", fact.cursor);
      break;
    case FactKind::received:
      append_decimal(out, "sequence", fact.sequence);
      append_hex(out, "epoch", fact.epoch);
      append_text(out, "from", fact.from);
      append_decimal(out, "number", fact.number);
      append_hex(out, "hash", fact.hash);
      break;
    case FactKind::saving: append_decimal(out, "sequence", fact.sequence); break;
    case FactKind::reset:
      append_decimal(out, "wanted", fact.wanted), append_decimal(out, "earliest", fact.earliest);
      [[fallthrough]];
    case FactKind::end: append_decimal(out, "latest", fact.latest); break;
    case FactKind::broker:
    case FactKind::tick: break;
  }
  out += "}\n";
}

}  // namespace leat::history
