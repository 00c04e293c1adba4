// net/curl_setup.h: what all that libcurl does for us begins with, and what its failures are called; for this folder
// only.
#pragma once

#include <string>

#include "core/error.h"
#include "net/curl_library.h"
#include "net/http_client.h"
#include "net/request_words.h"

namespace volary {

// What libcurl did not do, in words for people; `words` are its own, if it has any.
Error curl_failure(const HttpRequest& request, CURLcode code, const std::string& words);

template <class Value>
void set_curl(CURL* easy, const HttpRequest& request, CURLoption option, Value value) {
  if (const CURLcode code = curl().easy_setopt(easy, option, value); code != CURLE_OK)
    throw Error(Errc::invalid, "the request to {} cannot be made: {}", speakable(request.url),
                curl().easy_strerror(code));
}

// How everything is connected: to the request's URL as it is, over HTTP/1.1, through no proxy, trusting whom `ca_file`
// names, or HttpClientOptions says.
void set_up_curl(CURL* easy, const HttpRequest& request, const std::string& ca_file);

}  // namespace volary
