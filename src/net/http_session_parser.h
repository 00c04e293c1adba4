// net/http_session_parser.h: what the sources of HttpSession share: Beast's parser, and how patient they are.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/http_session.h"

namespace volary {

class HttpSession::Parser : public boost::beast::http::request_parser<boost::beast::http::string_body> {};

constexpr size_t read_bytes = 64 << 10;
constexpr uint64_t slowest_bytes_per_second = 16 << 10;
constexpr const char* busy_words = "the server has too much to do: try again";

// What a slow but honest client needs for so many bytes.
inline std::chrono::milliseconds time_for(size_t bytes) {
  return std::chrono::milliseconds(bytes * 1000 / slowest_bytes_per_second);
}

}  // namespace volary
