// cli/reference.cc: the grammar of cli/reference.h.
#include "cli/reference.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/name.h"

namespace volary {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

FileReference parse_file_reference(std::string_view text) {
  const size_t colon = text.find(":/");
  FileReference reference;
  if (colon == std::string_view::npos || colon + 2 == text.size())
    throw Error(Errc::invalid, "'{}' names no file of a volume: expected NAME[@VERSION]:/PATH", text);
  reference.volume = parse_volume_reference(text.substr(0, colon));
  reference.path = text.substr(colon + 2);
  return reference;
}

VolumePlace parse_volume_place(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {"", parse_volume_reference(text)};
  return {Name::parse(text.substr(0, slash), "project").text(), parse_volume_reference(text.substr(slash + 1))};
}

StoreReference parse_store_reference(std::string_view text, std::string_view option) {
  const size_t colon = text.find(':');
  const size_t slash = std::min(text.find('/'), text.size());
  const size_t at = text.rfind('@', slash);
  if (at != std::string_view::npos && at > 0 && at < slash && at < colon) {
    const std::string prefix(slash < text.size() ? text.substr(slash + 1) : "");
    return {Name::parse(lower_case(text.substr(at + 1, slash - at - 1)), "datastore").text(), prefix,
            std::string(text.substr(0, at))};
  }
  if (colon == std::string_view::npos)
    throw Error(Errc::invalid, "'{}' is no value for {}: expected DATASTORE:PREFIX, such as 'corpora:wiki/2026', or "
                "CONTAINER@DATASTORE/PREFIX", text, option);
  return {Name::parse(text.substr(0, colon), "datastore").text(), std::string(text.substr(colon + 1))};
}

NewAttachment parse_attachment(std::string_view text) {
  const AttachWord word = parse_attach_word(text);
  NewAttachment attachment{.volume = text_of(word.source), .path = word.path, .access = word.access};
  if (word.cache) attachment.cache = true;
  return attachment;
}

std::pair<std::string, std::string> parse_assignment(std::string_view text, std::string_view option,
                                                     std::string_view form) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw Error(Errc::invalid, "'{}' is no value for {}: expected {}", text, option, form);
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

uint64_t parse_count(std::string_view text, std::string_view what, uint64_t low) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < low)
    throw Error(Errc::invalid, "'{}' is no value for {}: expected a whole number from {}", text, what, low);
  return number;
}

}  // namespace volary
