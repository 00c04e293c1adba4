// fuzz/backup_fuzz.cc: what a place with backups says that lies there: the manifest of a backup and the list of its objects.
#include "core/json.h"
#include "fuzz.h"
#include "volume/backup.h"

using namespace volary;

namespace {

std::string text_of(const std::vector<ListedObject>& objects) {
  std::string text;
  for (const ListedObject& object : objects)
    text += fmt::format("{} {} {}\n", object.kind == ObjectKind::tree ? "tree" : "blob", object.digest.hex(), object.bytes);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text = volary::text_of(bytes, size);
  reads([&] {
    const auto objects = parse_object_list(text);
    require(objects.size() == static_cast<size_t>(std::count(text.begin(), text.end(), '\n')));
    const std::string written = text_of(objects);
    require(text_of(parse_object_list(written)) == written);
  });
  reads([&] {
    const Backup backup = parse_manifest(text, "one");
    require(backup.id == "one" && backup.format == 1);
    const std::string written = print_json(to_json(backup));
    require(print_json(to_json(parse_manifest(written, "one"))) == written);
  });
  return 0;
}
