// cli/receipt_check_test.cc: whatever byte of a receipt is changed, it proves nothing any more.
#include "cli/receipt_check.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sodium.h>

namespace volary {
namespace {

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// A receipt signed by a key of the test's own.
std::string signed_receipt(char seed = 's') {
  const std::string bytes(crypto_sign_ed25519_SEEDBYTES, seed);
  std::string open(crypto_sign_ed25519_PUBLICKEYBYTES, '\0');
  std::string secret(crypto_sign_ed25519_SECRETKEYBYTES, '\0');
  const auto raw = [](std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); };
  crypto_sign_ed25519_seed_keypair(raw(open), raw(secret), reinterpret_cast<const uint8_t*>(bytes.data()));
  SignedReceipt document;
  document.key = hex_of(open);
  Receipt& receipt = document.receipt;
  receipt.format = receipt_format;
  receipt.job = "job-1";
  receipt.name = "tra\"in\n é";
  receipt.command = {"python3", "main.py"};
  receipt.state = "DONE";
  receipt.exit_code = 0;
  receipt.submitted_at = Time{1'700'000'000'000'000};
  receipt.ended_at = Time{1'700'000'060'123'456};
  receipt.read = {{"digits", 3, "/in", "ro", std::string(64, 'a'), std::string(64, 'b'), 21, 261'120}};
  receipt.written = {{"model", 1, "/out", "rw", std::string(64, 'c'), std::string(64, 'd'), 2, 0}};
  std::string text = signed_text(receipt);
  std::string signature(crypto_sign_ed25519_BYTES, '\0');
  crypto_sign_ed25519_detached(raw(signature), nullptr, raw(text), text.size(), raw(secret));
  document.signature = hex_of(signature);
  return document_text(document);
}

TEST(a_receipt, that_nobody_touched_is_right) {
  const CheckedReceipt checked = check_receipt(signed_receipt(), "");
  EXPECT_EQ(checked.fault, "");
  EXPECT_EQ(checked.receipt->receipt.read[0].checksum, std::string(64, 'a'));
  std::string key = checked.receipt->key;
  for (char& c : key) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(check_receipt(signed_receipt(), key).fault, "");
}

TEST(a_receipt, of_another_key_is_refused) {
  const std::string other = check_receipt(signed_receipt('x'), "").receipt->key;
  EXPECT_EQ(check_receipt(signed_receipt(), other).fault.substr(0, 29), "it was signed by another key,");
}

TEST(a_receipt, proves_nothing_with_any_bit_of_it_changed) {
  const std::string whole = signed_receipt();
  for (size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      ASSERT_NE(check_receipt(changed, "").fault, "") << "byte " << at << ", bit " << bit;
    }
}

TEST(a_receipt, that_was_written_anew_in_other_words_is_refused) {
  const std::string whole = signed_receipt();
  EXPECT_EQ(check_receipt(print_json_pretty(parse_json(whole, "it")), "").fault,
            "it is not in the one form that receipts have: it was written anew or changed");
  EXPECT_NE(check_receipt(whole + "\n", "").fault, "");
  EXPECT_NE(check_receipt(whole.substr(0, whole.size() - 1), "").fault, "");
  EXPECT_NE(check_receipt("", "").fault, "");
  EXPECT_NE(check_receipt("{}", "").fault, "");
}

RC_GTEST_PROP(a_receipt, proves_nothing_with_bytes_put_in_taken_out_or_replaced, ()) {
  static const std::string whole = signed_receipt();
  std::string changed = whole;
  const size_t at = *rc::gen::inRange<size_t>(0, whole.size());
  const size_t count = *rc::gen::inRange<size_t>(0, std::min<size_t>(40, whole.size() - at));
  changed.replace(at, count, *rc::gen::container<std::string>(rc::gen::character<char>()));
  RC_PRE(changed != whole);
  RC_ASSERT(check_receipt(changed, "").fault != "");
}

}  // namespace
}  // namespace volary
