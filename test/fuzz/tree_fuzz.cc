// fuzz/tree_fuzz.cc: the decoder of trees takes exactly what the encoder writes (invariant I15).
#include "fuzz.h"
#include "store/tree.h"

using namespace volary;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text = text_of(bytes, size);
  const auto decoded = try_decode(text);
  require(reads([&] { decode(text); }) == std::holds_alternative<Tree>(decoded));
  if (const std::string* flaw = std::get_if<std::string>(&decoded)) {
    require(!flaw->empty());
    return 0;
  }
  const Tree& tree = std::get<Tree>(decoded);
  require(encode(tree) == text);
  require(summary_of(tree).tree == Digest::of(text));
  for (const TreeEntry& entry : tree.entries) require(tree.find(entry.name) == &entry);
  return 0;
}
