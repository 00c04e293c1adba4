// record/problem.h: an error as it travels (RFC 9457), a page of a list, and what the server says of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

// application/problem+json
struct Problem {
  std::string type;    // "urn:volary:error:not_found"
  std::string title;   // "not found"
  int64_t status = 0;
  std::string detail;  // The message.
  std::string code;    // "not_found"
  std::vector<std::string> trail;
  std::string request_id;
};
BOOST_DESCRIBE_STRUCT(Problem, (), (type, title, status, detail, code, trail, request_id))

// A list, by pages.
template <class Item>
struct Page {
  std::vector<Item> items;
  std::optional<std::string> next_cursor;  // Give it back as ?cursor= for the rest.
  BOOST_DESCRIBE_CLASS(Page, (), (items, next_cursor), (), ())
};

// GET /server
struct ServerStatus {
  std::string version;
  std::string data_directory;
  std::string read_only_mounts;  // "erofs+overlayfs" or "link farm", and why
  std::string writable_mounts;
  std::string sandbox;
  uint64_t free_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(ServerStatus, (), (version, data_directory, read_only_mounts, writable_mounts, sandbox,
                                         free_bytes))

// One finding of `volary doctor`.
struct Finding {
  std::string subject;  // "read-only mounts"
  bool good = false;
  std::string used;     // "erofs + overlayfs"
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(Finding, (), (subject, good, used, reason))

}  // namespace volary
