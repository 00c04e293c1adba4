// remote/http_remote.h: files of a web server as a Remote.
#pragma once

#include <memory>
#include <string>

#include "remote/remote.h"

namespace volary {

enum class UnknownSize {
  refuse,  // A file whose size nothing says is `invalid`.
  zero,    // It is found with size 0 and no etag, and get() brings what there is.
};

struct HttpOptions {
  // "https://host/directory/" with files below it, or "https://host/file", which is the only object then; a query may
  // follow the latter.
  std::string url{};
  std::string token{};     // "authorization: Bearer"
  std::string user{};      // Both: "authorization: Basic"
  std::string password{};
  UnknownSize unknown_size = UnknownSize::refuse;
};

// Throws `invalid` unless it is a URL as above, without a name and a password in it.
void check_http_url(const std::string& url);

// To be read: put and remove throw `invalid`. A directory cannot be listed (has_listing() is false, list() throws
// `invalid`); its objects are found by their names. The etag is the server's ETag, else its Last-Modified, else "".
// `http` must outlive the remote.
std::unique_ptr<Remote> open_http_remote(const HttpOptions& options, HttpClient& http);

}  // namespace volary
