#include "text/json_text.h"

#include "text/text_encoding.h"

namespace leat::tool {
namespace {

/// Deeper than any event needs, and far from what the stack would not bear.
constexpr int kMaxDepth = 512;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads JSON from the left. The first error stays, and ends everything.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  [[nodiscard]] bool failed() const { return error_.code != ErrorCode::ok; }
  /// Meaningful only after it failed.
  [[nodiscard]] const Error& error() const { return error_; }

  /// The next character that is no blank; '\0' at the end (which no JSON holds outside a string).
  char peek() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  [[nodiscard]] bool at_end() { return peek() == '\0' && at_ >= text_.size(); }
  void take(char wanted) {
    if (peek() != wanted || at_end()) return fail(std::string("'") + wanted + "' is missing");
    ++at_;
  }

  /// A value, appended to `out` without blanks. `bytes`, if asked for, gets what a string says.
  JsonKind value(std::string& out, std::string* bytes = nullptr, int depth = 1) {
    switch (peek()) {
      case '{': container(out, '}', depth); return JsonKind::object;
      case '[': container(out, ']', depth); return JsonKind::array;
      case '"': string(out, bytes); return JsonKind::string;
      case 't': word(out, "true"); return JsonKind::truth;
      case 'f': word(out, "false"); return JsonKind::truth;
      case 'n': word(out, "null"); return JsonKind::null;
      default: number(out); return JsonKind::number;
    }
  }

  void string(std::string& out, std::string* bytes) {
    if (peek() != '"') return fail("a string is missing");
    out += text_[at_++];
    while (!failed()) {
      if (at_ >= text_.size()) return fail("a string has no end");
      const char c = text_[at_];
      if (c == '"') break;
      if (c == '\\') {
        escape(out, bytes);
      } else {
        character(out, bytes);
      }
    }
    if (!failed()) out += text_[at_++];
  }

  void fail(const std::string& what, std::string_view advice = {}) {
    if (!failed()) {
      error_ = {ErrorCode::invalid_argument, "column " + std::to_string(at_ + 1) + ": " + what, advice};
    }
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  void put(std::string& out, std::size_t length) {
    out += text_.substr(at_, length);
    at_ += length;
  }

  void container(std::string& out, char end, int depth) {
    if (depth > kMaxDepth) return fail("nested deeper than " + std::to_string(kMaxDepth));
    out += text_[at_++];
    if (peek() != end) {
      do {
        if (end == '}') {
          string(out, nullptr);
          take(':');
          out += ':';
        }
        if (!failed()) value(out, nullptr, depth + 1);
      } while (!failed() && another(out));
    }
    take(end);
    out += end;
  }

  bool another(std::string& out) {
    if (peek() != ',') return false;
    out += text_[at_++];
    return true;
  }

  void word(std::string& out, std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) return fail("neither a value nor a string in quotes");
    put(out, wanted.size());
  }

  std::size_t digits(std::string& out) {
    std::size_t length = 0;
    while (at_ + length < text_.size() && is_digit(text_[at_ + length])) ++length;
    put(out, length);
    return length;
  }

  void number(std::string& out) {
    const auto next_is = [&](std::string_view some) {
      return at_ < text_.size() && some.find(text_[at_]) != std::string_view::npos;
    };
    if (at_end()) return fail("the text ends where a value should be");
    const std::size_t begin = at_;
    if (next_is("-")) put(out, 1);
    const std::size_t first = at_;
    if (digits(out) == 0) {
      at_ = begin;
      return fail("neither a value nor a string in quotes");
    }
    if (at_ - first > 1 && text_[first] == '0') return fail("a number does not begin with 0");
    if (next_is(".")) {
      put(out, 1);
      if (digits(out) == 0) return fail("a digit is missing");
    }
    if (next_is("eE")) {
      put(out, 1);
      if (next_is("+-")) put(out, 1);
      if (digits(out) == 0) return fail("a digit is missing");
    }
  }

  void character(std::string& out, std::string* bytes) {
    if (static_cast<unsigned char>(text_[at_]) < 0x20) return fail("a control character in a string", "write \\u00XX");
    const std::size_t length = utf8_length(text_.substr(at_));
    if (length == 0) return fail("bytes that are not UTF-8", "give them as ..._base64");
    if (bytes != nullptr) *bytes += text_.substr(at_, length);
    put(out, length);
  }

  void escape(std::string& out, std::string* bytes) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'u') return code_point(out, bytes);
    const std::size_t which = kNames.find(c);
    if (c == '\0' || which == std::string_view::npos) return fail("an escape that is none");
    if (bytes != nullptr) *bytes += kMeanings[which];
    put(out, 2);
  }

  /// The four digits behind \u at `at`; nothing if they are not there.
  [[nodiscard]] std::optional<char32_t> code_unit(std::size_t at) const {
    constexpr std::string_view kHexDigits = "0123456789abcdef";
    if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return std::nullopt;
    char32_t unit = 0;
    for (const char c : text_.substr(at + 2, 4)) {
      const std::size_t digit = kHexDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
      if (digit == std::string_view::npos) return std::nullopt;
      unit = unit << 4 | static_cast<char32_t>(digit);
    }
    return unit;
  }

  void code_point(std::string& out, std::string* bytes) {
    const auto unit = code_unit(at_);
    if (!unit) return fail("four hexadecimal digits are missing");
    if (*unit < 0xd800 || *unit > 0xdfff) {
      if (bytes != nullptr) append_utf8(*bytes, *unit);
      return put(out, 6);
    }
    const auto low = code_unit(at_ + 6);
    if (*unit > 0xdbff || !low || *low < 0xdc00 || *low > 0xdfff) {
      return fail("half of a surrogate pair, which is no character", "give such bytes as ..._base64");
    }
    if (bytes != nullptr) append_utf8(*bytes, 0x10000 + ((*unit - 0xd800) << 10 | (*low - 0xdc00)));
    put(out, 12);
  }

  static void append_utf8(std::string& out, char32_t point) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | point >> 6);
      tail(0);
    } else if (point < 0x10000) {
      out += static_cast<char>(0xe0 | point >> 12);
      tail(6);
      tail(0);
    } else {
      out += static_cast<char>(0xf0 | point >> 18);
      tail(12);
      tail(6);
      tail(0);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Error error_;
};

}  // namespace

Result<std::vector<JsonMember>> read_json_object(std::string_view text) {
  Reader reader(text);
  std::vector<JsonMember> members;
  const auto bad = [&](const std::string& what) { return Error{ErrorCode::invalid_argument, what}; };
  if (reader.at_end()) return bad("an empty line is no object");
  if (reader.peek() != '{') {
    std::string ignored;
    reader.value(ignored);
    return reader.failed() ? reader.error() : bad("not an object");
  }
  reader.take('{');
  if (reader.peek() != '}') {
    for (;;) {
      JsonMember& member = members.emplace_back();
      std::string quoted;
      reader.string(quoted, &member.name);
      reader.take(':');
      if (!reader.failed()) member.kind = reader.value(member.text, &member.bytes, 2);
      if (reader.failed() || reader.peek() != ',') break;
      reader.take(',');
    }
  }
  reader.take('}');
  if (!reader.failed() && !reader.at_end()) reader.fail("something stands behind the object", "give one object a line");
  if (reader.failed()) return reader.error();
  return members;
}

std::optional<JsonValue> read_json_value(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) return std::nullopt;  // it would be lost
  Reader reader(text);
  JsonValue value;
  value.kind = reader.value(value.text);
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return value;
}

}  // namespace leat::tool
