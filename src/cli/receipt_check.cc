// cli/receipt_check.cc: form first, then the signature, for cli/receipt_check.h.
#include "cli/receipt_check.h"

#include <sodium.h>

#include "remote/retry.h"

namespace volary {
namespace {

constexpr size_t key_bytes = 32;
constexpr size_t signature_bytes = 64;

// Lower-case digits only: others would be a second form of the same.
std::optional<std::string> bytes_of(std::string_view hex, size_t count) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (hex.size() != count * 2) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const size_t high = digits.find(hex[i]);
    const size_t low = digits.find(hex[i + 1]);
    if (high == digits.npos || low == digits.npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

const uint8_t* raw(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

bool is_signature(const std::string& signature, std::string_view text, const std::string& key) {
  return crypto_sign_ed25519_verify_detached(raw(signature), raw(text), text.size(), raw(key)) == 0;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  return text;
}

}  // namespace

CheckedReceipt check_receipt(std::string_view text, const std::string& key) {
  CheckedReceipt checked;
  const auto error = error_of([&] {
    checked.receipt = from_json<SignedReceipt>(parse_json(text, "the receipt"), "receipt");
  });
  if (error) {
    checked.fault = "it is no receipt: " + error->message();
    return checked;
  }
  const SignedReceipt& found = *checked.receipt;
  const auto public_key = bytes_of(found.key, key_bytes);
  const auto signature = bytes_of(found.signature, signature_bytes);
  if (found.receipt.format != receipt_format)
    checked.fault = "its format is '" + found.receipt.format + "', expected " + std::string(receipt_format);
  else if (!public_key || !signature)
    checked.fault = "its key or signature is none: expected 64 and 128 hexadecimal digits";
  else if (document_text(found) != text)
    checked.fault = "it is not in the one form that receipts have: it was written anew or changed";
  else if (!key.empty() && lower(key) != found.key)
    checked.fault = "it was signed by another key, " + found.key;
  else if (!is_signature(*signature, signed_text(found.receipt), *public_key))
    checked.fault = "its signature does not belong to what it says: it was changed";
  return checked;
}

}  // namespace volary
