// remote/swift_connection.h: one authenticated request to Swift at a time, and what a refusal means.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/synced.h"
#include "remote/swift_remote.h"

namespace volary {

struct SwiftCall {
  std::string method = "GET";
  std::string container{};  // "" is the account itself.
  std::string key{};        // "" is the container itself.
  std::vector<std::pair<std::string, std::string>> query{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  Source* source = nullptr;  // As in HttpRequest.
  // Or: gives the bytes from the beginning, whenever it is asked for them.
  std::function<std::unique_ptr<Source>()> content{};
  uint64_t source_bytes = 0;
  uint64_t stall_seconds = 60;
  bool takes_back = false;   // As in HttpRequest.
};

// Any thread.
class SwiftConnection {
 public:
  // Throws `invalid` for options that cannot be right.
  SwiftConnection(const SwiftOptions& options, HttpClient& http);

  // A 2xx, or what refusal() says. Asks for a token where there is none or it has expired.
  HttpResponse send(SwiftCall& call);
  HttpResponse send(SwiftCall&& call) { return send(call); }
  // Nothing for a 404; the container's own absence is an error.
  std::optional<HttpResponse> head(const std::string& container, const std::string& key);
  // For who sends it himself; the token in it may turn out to have expired.
  HttpRequest request_of(const SwiftCall& call);
  // Forgets the token of this request, unless that has happened already.
  void renew(const HttpRequest& request);
  Error refusal(const SwiftCall& call, const HttpResponse& response) const;

  bool is_anonymous() const { return is_anonymous_; }
  // "swift container 'c' at https://…", or without the container.
  std::string description(const std::string& container) const;

 private:
  struct Entrance {
    std::string storage_url;  // "" if it must be asked for.
    std::string token;
  };
  Entrance entrance();
  Entrance ask_version1() const;
  Entrance ask_keystone() const;
  std::string keystone_request() const;

  SwiftOptions options_;
  HttpClient& http_;
  bool is_anonymous_ = false;
  Synced<Entrance> entrance_;
};

// The object that a HEAD, GET or PUT answer describes; its size is 0.
RemoteObject swift_object_of(const std::string& key, const HttpResponse& response);
bool is_segmented(const HttpResponse& response);
// "2024-05-22T10:00:00.123450", as listings have it.
Time parse_swift_time(std::string_view text);

}  // namespace volary
