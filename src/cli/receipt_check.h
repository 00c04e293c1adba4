// cli/receipt_check.h: a receipt held against its signature, without a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "record/receipt.h"

namespace volary {

struct CheckedReceipt {
  std::optional<SignedReceipt> receipt;  // Nothing: the text is none.
  std::string fault;                     // Why it proves nothing; "": it is whole, and its signature right.
};

// `key`: the public key that must have signed it, 64 hexadecimal digits in either case; "": the one in the document.
CheckedReceipt check_receipt(std::string_view text, const std::string& key);

}  // namespace volary
