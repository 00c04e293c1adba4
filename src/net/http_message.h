// net/http_message.h: the texts of HTTP/1.1 between the wire and Request and Response.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http_server.h"

namespace volary {

enum class Plus { literal, space };  // What '+' means: only in queries a space.
// Nothing on a broken escape.
std::optional<std::string> decode_percent(std::string_view text, Plus plus);

// Fills path, segments and query from a request target: "/a/b?c=d", "http://host/a/b?c=d" or "*".
// False if it is none of these, has a broken escape or a NUL.
bool read_target(std::string_view target, Request& request);

enum class Body { sized, chunked, until_close, none };  // How the end of an answer's body is found.
enum class Afterwards { keep_open, close };

// Status line and headers, with the empty line.
std::string print_head(const Response& response, Body body, Afterwards afterwards, const std::string& request_id);

// The problem document for a request that no handler saw.
Response refusal(int status, Errc code, const std::string& detail, const std::string& request_id);

}  // namespace volary
