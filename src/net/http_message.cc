// net/http_message.cc: request targets in, response heads out.
#include "net/http_message.h"

#include <array>
#include <ctime>

#include "core/error_table.h"
#include "core/json.h"

namespace volary {
namespace {

// -1 if it is none.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool read_path(std::string_view path, Request& request) {
  const auto decoded = decode_percent(path, Plus::literal);
  if (!decoded || decoded->find('\0') != std::string::npos) return false;
  request.path = *decoded;
  if (path.size() < 2) return true;
  for (std::string_view left = path.substr(1);;) {
    const size_t end = left.find('/');
    request.segments.push_back(*decode_percent(left.substr(0, end), Plus::literal));  // Part of what was decoded above.
    if (end == std::string_view::npos) return true;
    left.remove_prefix(end + 1);
  }
}

bool read_query(std::string_view query, Request& request) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decode_percent(pair.substr(0, equals), Plus::space);
    const auto value = decode_percent(pair.substr(std::min(equals + 1, pair.size())), Plus::space);
    if (!name || !value) return false;
    request.query.emplace(*name, *value);
  }
  return true;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

// "Sun, 06 Nov 1994 08:49:37 GMT": RFC 9110, 5.6.7.
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// A value can never end its line, whatever a handler put into it.
void add_header(std::string& head, std::string_view name, std::string_view value) {
  const size_t start = head.size();
  head.append(name).append(": ").append(value);
  for (size_t i = start; i < head.size(); ++i)
    if (static_cast<unsigned char>(head[i]) < ' ') head[i] = ' ';
  head += "\r\n";
}

}  // namespace

std::optional<std::string> decode_percent(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

bool read_target(std::string_view target, Request& request) {
  if (target == "*") {
    request.path = "*";
    request.segments = {"*"};
    return true;
  }
  for (const std::string_view scheme : {"http://", "https://"})
    if (target.starts_with(scheme)) {
      target.remove_prefix(scheme.size());
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
      if (target.empty()) target = "/";
    }
  if (!target.starts_with('/')) return false;
  target = target.substr(0, target.find('#'));
  const size_t question = std::min(target.find('?'), target.size());
  return read_path(target.substr(0, question), request) &&
         read_query(target.substr(std::min(question + 1, target.size())), request);
}

std::string print_head(const Response& response, Body body, Afterwards afterwards, const std::string& request_id) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  head.reserve(512);
  add_header(head, "date", http_date());
  add_header(head, "x-request-id", request_id);
  if (body != Body::none) add_header(head, "content-type", response.content_type);
  if (body == Body::sized)
    add_header(head, "content-length", std::to_string(response.stream_bytes.value_or(response.body.size())));
  if (body == Body::chunked) add_header(head, "transfer-encoding", "chunked");
  if (afterwards == Afterwards::close) add_header(head, "connection", "close");
  for (const auto& [name, value] : response.headers) add_header(head, name, value);
  return head + "\r\n";
}

Response refusal(int status, Errc code, const std::string& detail, const std::string& request_id) {
  json::object problem{{"type", fmt::format("urn:volary:error:{}", name_of(code))}};
  problem.emplace("title", row_of(code).title);
  problem.emplace("status", status);
  problem.emplace("detail", detail);
  problem.emplace("code", name_of(code));
  problem.emplace("trail", json::array());
  problem.emplace("requestId", request_id);
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = print_json(problem) + "\n";
  if (code == Errc::unavailable) response.headers.emplace_back("retry-after", "1");
  return response;
}

}  // namespace volary
