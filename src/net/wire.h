// net/wire.h: a request as it goes over a connection, and an answer as it comes from one, for who speaks HTTP without
// libcurl; for this folder only.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include <boost/beast/http/basic_parser.hpp>

#include "core/error.h"
#include "net/http_client.h"
#include "net/request_words.h"

namespace volary {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

constexpr size_t answer_head_bytes_max = 256 << 10;

// All that comes before its body. Throws `invalid` for what cannot be said.
std::string head_of(const HttpRequest& request);

// What the parser finds becomes the response, or goes to the sink.
class AnswerParser final : public http::basic_parser<false> {
 public:
  AnswerParser(const HttpRequest& request, Sink* sink, HttpResponse& response)
      : request_(request), sink_(sink), response_(response) {
    eager(true);
    skip(request.method == "HEAD");
    header_limit(answer_head_bytes_max);
    body_limit(boost::none);
  }
  bool is_interim() const { return response_.status / 100 == 1; }  // Another one follows.

 private:
  void on_request_impl(http::verb, BeastText, BeastText, int, error_code&) override {}
  void on_response_impl(int status, BeastText, int, error_code&) override {
    response_.status = status;
    response_.headers.clear();
  }
  void on_field_impl(http::field, BeastText name, BeastText value, error_code&) override {
    std::string key(name);
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    response_.headers.emplace(std::move(key), value);
  }
  void on_header_impl(error_code&) override {
    if (!is_interim() && request_.on_headers) request_.on_headers(response_);
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(BeastText bytes, error_code&) override {
    take(bytes);
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, BeastText, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, BeastText bytes, error_code&) override {
    take(bytes);
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  void take(BeastText bytes) {
    if (sink_ && response_.status / 100 == 2) return sink_->write({bytes.data(), bytes.size()});
    if (response_.body.size() + bytes.size() > response_body_bytes_max)
      throw Error(Errc::exhausted, "{} answers with more than the {} bytes that are taken of such a response",
                  speakable(request_.url), response_body_bytes_max);
    response_.body.append(bytes.data(), bytes.size());
  }

  const HttpRequest& request_;
  Sink* sink_;
  HttpResponse& response_;
};

}  // namespace volary
