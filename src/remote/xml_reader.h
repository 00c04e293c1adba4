// remote/xml_reader.h: the little XML that S3 speaks: elements and text.
//
// A pull reader over a text in memory. Attributes, comments, declarations and name-space prefixes are passed over; a
// document type is refused, and with it every entity but XML's own five and character references.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace volary {

class XmlReader {
 public:
  enum class Event {
    begin,  // <name>: name() is the element's
    end,    // </name>, and after begin of <name/>: likewise
    done,   // The document is over, well-formed as far as this looks.
  };

  // Does not own `document`.
  explicit XmlReader(std::string_view document) : document_(document) {}

  // Throws `corrupt` with the place if the document is broken.
  Event next();
  // Of the element that began or ended, without its prefix.
  std::string_view name() const { return name_; }
  // At an end: the text directly before it, entities replaced. "" behind another element's end but for what follows it.
  const std::string& text() const { return text_; }

 private:
  Event open_tag();
  Event close_tag();
  void skip_behind(std::string_view mark, std::string_view what);
  void append_text(std::string_view raw);
  void append_reference(std::string_view reference);
  std::string_view take_name();
  [[noreturn]] void broken(std::string_view why) const;

  std::string_view document_;
  size_t at_ = 0;
  std::vector<std::string_view> open_;  // With their prefixes.
  std::string_view name_;
  std::string text_;
  bool is_empty_element_ = false;  // <name/> was begun: its end is next.
  bool had_root_ = false;
};

}  // namespace volary
