// remote/xml_reader.cc: the scanner of remote/xml_reader.h.
#include "remote/xml_reader.h"

#include <array>
#include <charconv>

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t depth_max = 64;
constexpr std::string_view space = " \t\r\n";

std::string_view without_prefix(std::string_view name) {
  const size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

enum class InName : uint8_t { inside, end, never };

// What a byte says of the name of an element.
constexpr std::array<InName, 256> in_names = [] {
  std::array<InName, 256> table{};
  for (const char c : {'>', '/', ' ', '\t', '\r', '\n'}) table[static_cast<uint8_t>(c)] = InName::end;
  for (const char c : {'"', '\'', '<', '&', '='}) table[static_cast<uint8_t>(c)] = InName::never;
  return table;
}();

void append_utf8(std::string& text, uint32_t point) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xe0 | (point >> 12));
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xf0 | (point >> 18));
    tail(12), tail(6), tail(0);
  }
}

}  // namespace

void XmlReader::broken(std::string_view why) const {
  throw Error(Errc::corrupt, "broken XML at byte {}: {}", at_, why);
}

XmlReader::Event XmlReader::next() {
  if (is_empty_element_) {
    is_empty_element_ = false;
    text_.clear();
    open_.pop_back();
    return Event::end;
  }
  text_.clear();
  while (at_ < document_.size()) {
    const std::string_view rest = document_.substr(at_);
    const char second = rest.size() > 1 ? rest[1] : '\0';
    if (rest[0] != '<') {
      const std::string_view raw = rest.substr(0, rest.find('<'));
      if (!open_.empty()) append_text(raw);
      else if (raw.find_first_not_of(space) != std::string_view::npos && raw != "\xef\xbb\xbf")
        broken("text outside of the document's element");
      at_ += raw.size();
    } else if (second == '/') {
      return close_tag();
    } else if (second != '!' && second != '?') {
      return open_tag();
    } else if (rest.starts_with("<!--")) {
      skip_behind("-->", "a comment");
    } else if (rest.starts_with("<![CDATA[")) {
      if (open_.empty()) broken("text outside of the document's element");
      const size_t start = at_ + 9;
      skip_behind("]]>", "a CDATA section");
      text_ += document_.substr(start, at_ - 3 - start);
    } else if (second == '?') {
      skip_behind("?>", "an instruction");
    } else {
      broken("a document type is not accepted");
    }
  }
  if (!open_.empty()) broken("the document ends inside <" + std::string(open_.back()) + ">");
  if (!had_root_) broken("there is no element");
  return Event::done;
}

std::string_view XmlReader::take_name() {
  const char* const begin = document_.data() + at_;
  const char* const behind = document_.data() + document_.size();
  const char* end = begin;
  while (end != behind && in_names[static_cast<uint8_t>(*end)] == InName::inside) ++end;
  if (end == behind || end == begin || in_names[static_cast<uint8_t>(*end)] == InName::never || end[-1] == ':')
    broken("expected a name and '>'");
  const std::string_view name(begin, static_cast<size_t>(end - begin));
  at_ += name.size();
  return name;
}

XmlReader::Event XmlReader::open_tag() {
  if (open_.empty() && had_root_) broken("a second element after the document's");
  had_root_ = true;
  ++at_;
  const std::string_view name = take_name();
  // Attributes: only quotes matter, which can hide a '>'.
  while (at_ < document_.size() && document_[at_] != '>') {
    const char c = document_[at_];
    if (c == '<') broken("'<' inside a tag");
    is_empty_element_ = c == '/';
    if (c == '"' || c == '\'') {
      at_ = document_.find(c, at_ + 1);
      if (at_ == std::string_view::npos) at_ = document_.size();
    }
    ++at_;
  }
  if (at_ >= document_.size()) broken("the document ends inside a tag");
  ++at_;
  if (open_.size() == depth_max) broken("elements too deep in each other");
  open_.push_back(name);
  name_ = without_prefix(name);
  text_.clear();
  return Event::begin;
}

XmlReader::Event XmlReader::close_tag() {
  const size_t start = at_;
  at_ += 2;
  const std::string_view name = take_name();
  at_ = document_.find('>', at_);
  if (at_ == std::string_view::npos) at_ = document_.size(), broken("the document ends inside a tag");
  ++at_;
  if (open_.empty() || open_.back() != name) {
    at_ = start;
    broken("</" + std::string(name) + "> closes what was not opened");
  }
  open_.pop_back();
  name_ = without_prefix(name);
  return Event::end;
}

void XmlReader::skip_behind(std::string_view mark, std::string_view what) {
  const size_t found = document_.find(mark, at_);
  if (found == std::string_view::npos) broken("the document ends inside " + std::string(what));
  at_ = found + mark.size();
}

void XmlReader::append_text(std::string_view raw) {
  while (!raw.empty()) {
    const size_t reference = raw.find('&');
    text_.append(raw.substr(0, reference));
    if (reference == std::string_view::npos) return;
    const size_t end = raw.find(';', reference);
    if (end == std::string_view::npos) broken("'&' without ';'");
    append_reference(raw.substr(reference + 1, end - reference - 1));
    raw.remove_prefix(end + 1);
  }
}

void XmlReader::append_reference(std::string_view reference) {
  if (reference == "amp") text_ += '&';
  else if (reference == "lt") text_ += '<';
  else if (reference == "gt") text_ += '>';
  else if (reference == "quot") text_ += '"';
  else if (reference == "apos") text_ += '\'';
  else if (reference.starts_with('#')) {
    const bool is_hex = reference.starts_with("#x") || reference.starts_with("#X");
    const std::string_view digits = reference.substr(is_hex ? 2 : 1);
    uint32_t point = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), point, is_hex ? 16 : 10);
    const bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    if (error != std::errc() || end != digits.data() + digits.size() || point > 0x10ffff || is_surrogate)
      broken("a character reference that is none");
    append_utf8(text_, point);
  } else {
    broken("an unknown entity");
  }
}

}  // namespace volary
