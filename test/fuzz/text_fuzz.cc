// fuzz/text_fuzz.cc: the short texts that people and servers send: names, paths, references, quantities, times, escapes.
// What is accepted stays the same when it is written and read again.
#include "cli/reference.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/name.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "fuzz.h"
#include "net/http_client.h"

using namespace volary;

namespace {

void check_path(const TreePath& path) {
  require(is_utf8(path.text()) && printable(path.text()) == path.text());
  require(path.is_root() || TreePath::parse(path.text()) == path);
  TreePath joined;
  for (const std::string_view component : path.components()) {
    require(flaw_of_component(component).empty() && component != ".." && component.find('/') == component.npos);
    joined = joined.child(component);
  }
  require(joined == path && path.is_within(path.parent()) && path.relative_to(path).is_root());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text = text_of(bytes, size);
  reads([&] { check_path(TreePath::parse(text)); });
  reads([&] { check_path(TreePath::parse_directory(text)); });
  reads([&] {
    const Name name = Name::parse(text, "volume");
    require(name.text() == text && Name::parse(name.text(), "volume") == name && size <= 63);
  });
  reads([&] {
    const VolumeReference reference = parse_volume_reference(text);
    require(reference.text() == text);
  });
  reads([&] { parse_store_reference(text, "--from"); });
  reads([&] { require(parse_attachment(text).path.starts_with('/')); });
  reads([&] {
    const auto [key, value] = parse_assignment(text, "--env");
    require(key + "=" + value == text);
  });
  reads([&] { require(parse_count(text, "--cpu", 1) >= 1); });
  reads([&] { bytes_text(parse_bytes(text, "the quota")); });
  reads([&] { seconds_text(parse_seconds(text, "the timeout")); });
  reads([&] {
    const Time time = parse_time(text);
    require(!time || parse_time(to_text(time)) == time);
  });
  reads([&] {
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c;
    require(Digest::parse(text).hex() == lower);  // Other programs write capitals.
  });
  reads([&] { percent_decode(text); });
  require(percent_decode(percent_encode(text)) == text);
  require(is_utf8(printable(text)));
  return 0;
}
