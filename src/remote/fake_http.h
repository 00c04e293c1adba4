// remote/fake_http.h: an HTTP client that plays the server by a function. Only tests include it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/synced.h"
#include "net/http_client.h"

namespace volary {

inline HttpResponse answer(int status, std::string body = "", std::multimap<std::string, std::string> headers = {}) {
  headers.emplace("content-length", std::to_string(body.size()));
  return {status, std::move(headers), std::move(body)};
}

inline HttpResponse refuse(int status, const std::string& code, const std::string& more = "") {
  return answer(status, "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code>" + more + "</Error>");
}

// Answers by a function, as a server would, and remembers what it was asked.
class FakeHttp final : public HttpClient {
 public:
  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    {
      auto held = requests.lock();
      held->push_back(request.method + " " + request.url.substr(request.url.find('/', 8)));
    }
    HttpResponse response = script(request);
    if (request.on_headers) request.on_headers(response);
    if (sink && response.status / 100 == 2) sink->write(std::exchange(response.body, ""));
    if (request.method == "HEAD") response.body.clear();
    return response;
  }
  std::function<HttpResponse(const HttpRequest&)> script;
  Synced<std::vector<std::string>> requests;
};

}  // namespace volary
