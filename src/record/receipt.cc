// record/receipt.cc: the one form of a receipt, for record/receipt.h.
#include "record/receipt.h"

#include <map>

namespace volary {

std::string canonical_text(const json::value& value) {
  std::string text;
  if (value.is_array()) {
    for (const json::value& one : value.get_array()) text += (text.empty() ? "[" : ",") + canonical_text(one);
    return text.empty() ? "[]" : text + "]";
  }
  if (!value.is_object()) return print_json(value);
  std::map<std::string, const json::value*> sorted;
  for (const auto& [key, one] : value.get_object()) sorted.emplace(std::string(key), &one);
  for (const auto& [key, one] : sorted)
    text += (text.empty() ? "{" : ",") + print_json(json::string(key)) + ":" + canonical_text(*one);
  return text.empty() ? "{}" : text + "}";
}

std::string signed_text(const Receipt& receipt) {
  return std::string(receipt_format) + "\n" + canonical_text(to_json(receipt));
}

std::string document_text(const SignedReceipt& receipt) { return canonical_text(to_json(receipt)) + "\n"; }

}  // namespace volary
