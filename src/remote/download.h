// remote/download.h: the bytes of an object by a plain GET, held against what was asked for before the first of them
// reaches the sink.
#pragma once

#include <functional>
#include <string>

#include "core/error.h"
#include "remote/remote.h"

namespace volary {

struct Download {
  const std::string& key;
  const GetOptions& options;
  HttpRequest request;             // The URL, and the headers of who asks.
  const std::string& description;  // Of the store.
  // The object that a 2xx speaks of, by its headers; its size is set here.
  std::function<RemoteObject(const HttpResponse&)> object_of;
  // What any other answer means.
  std::function<Error(const HttpResponse&)> refusal;
};

// As Remote::get() promises. A server that answers a range with all of it is taken at its word: what was not asked for
// is dropped. Where nothing says how long a whole object is, it is as long as what came.
RemoteObject download(HttpClient& http, Download download, Sink& sink);

// "1234"; nothing for anything else.
std::optional<uint64_t> parse_number(std::string_view text);
std::optional<uint64_t> content_length(const HttpResponse& response);

// What the status of a store's answer without words of its own means (errc_of_http_status of core/ reads Volary's own
// answers, where a 500 is our fault and no reason to ask again): 401 and 403 `denied`, 404 and 410 `not_found`, 412
// `conflict`, 413 and 507 `exhausted`, 416 and other 4xx `invalid`, 408, 429 and 5xx `unavailable`.
Errc errc_of_remote_status(int status);
// The wait that the answer asks for, or 0.
int64_t asked_backoff_millis(const HttpResponse& response);

}  // namespace volary
