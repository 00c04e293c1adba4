// record/receipt.h: what a job read and made, in a form that can be proven years later without the server.
//
//   document   = canonical( { "key": hex, "receipt": receipt, "signature": hex } ) LF
//   signature  = Ed25519( "volary-receipt-1" LF canonical(receipt) ) by `key`
//   canonical  = RFC 8785: one line, keys sorted, no spaces; here all numbers are whole and all keys ASCII
//
// A document has one form only: whatever byte of it is changed, it is no receipt any more, or its signature is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace volary {

constexpr std::string_view receipt_format = "volary-receipt-1";

// A version as the job had it, or made it.
struct ReceiptVersion {
  std::string volume;
  uint64_t version = 0;
  std::string path;      // In the job.
  std::string access;    // ro, rw, rwd
  std::string checksum;  // What `volary checksum` prints of its files.
  std::string tree;      // Its identity.
  uint64_t files = 0;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(ReceiptVersion, (), (volume, version, path, access, checksum, tree, files, bytes))

struct Receipt {
  std::string format;  // receipt_format
  std::string job;     // Its id.
  std::string name;
  std::string project;
  std::string user;
  std::optional<std::string> image;
  std::vector<std::string> command;
  std::string state;   // In which it ended.
  std::string reason;
  std::optional<int64_t> exit_code;
  Time submitted_at;
  std::optional<Time> started_at;
  Time ended_at;
  std::vector<ReceiptVersion> read;
  std::vector<ReceiptVersion> written;
  std::optional<uint64_t> run = {};  // Of the job, from the second on.
};
BOOST_DESCRIBE_STRUCT(Receipt, (), (format, job, name, project, user, image, command, state, reason, exit_code,
                                    submitted_at, started_at, ended_at, read, written, run))

// GET /jobs/{job}/receipt
struct SignedReceipt {
  std::string key;  // The server's public key, 64 hexadecimal digits.
  Receipt receipt;
  std::string signature;  // 128 hexadecimal digits.
};
BOOST_DESCRIBE_STRUCT(SignedReceipt, (), (key, receipt, signature))

// GET /server/key
struct ServerKey {
  std::string key;        // 64 hexadecimal digits.
  std::string algorithm;  // "Ed25519"
};
BOOST_DESCRIBE_STRUCT(ServerKey, (), (key, algorithm))

std::string canonical_text(const json::value& value);
// What is signed.
std::string signed_text(const Receipt& receipt);
// The whole document.
std::string document_text(const SignedReceipt& receipt);

}  // namespace volary
