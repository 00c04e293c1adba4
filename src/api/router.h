// api/router.h: from a request to the function that answers it: path, method, who, may they, act, errors, audit.
//
// Deny by default: a route cannot be made without a permission, and only Permission::public_ skips the gate.
// This is the HTTP dispatcher that core/error.h speaks of: every exception ends here, as a problem document.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "access/permission.h"
#include "api/route.h"
#include "core/error.h"
#include "net/http_server.h"

namespace volary {

// What a call came to, for the audit.
struct CallOutcome {
  const Request& request;
  const Route& route;
  const Caller& caller;      // Empty if nobody was believed, or on a public route.
  int status = 0;            // As answered.
  std::optional<Errc> code;  // Of the error; nothing on success.
  std::string message;       // Of the error.
};

// Who calls, may they, and the record of it. Called from many threads at once.
class Gate {
 public:
  virtual ~Gate() = default;
  // Nothing if the request carries no token that is valid now: the answer is then 401.
  virtual std::optional<Caller> authenticate(const Request& request) = 0;
  // Puts the caller into the project that the request names, if it names one. Throws `not_found` for one that the
  // caller may not use.
  virtual void choose_project(Caller& caller, const Request& request) = 0;
  // Throws `denied`, or `not_found` for what the caller may not even know of. Not asked for Permission::everyone.
  virtual void authorize(const Caller& caller, Permission permission, const Request& request) = 0;
  // Every call of another method than GET, and every refusal (401, 403), once it is over. What it throws is the answer.
  virtual void record(const CallOutcome& outcome) = 0;
};

// Any thread may call.
class Router {
 public:
  // Where lines go that only the operator may see: what an internal error was.
  using Log = std::function<void(std::string_view line)>;

  // How long a stream that goes on is read after its token was revoked, or the permission taken away.
  static constexpr std::chrono::milliseconds check_streams_every{10'000};

  // Throws `internal` if two routes have one name, or one method and path.
  Router(std::vector<Route> routes, Gate& gate, Log log = {},
         std::chrono::milliseconds check_every = check_streams_every);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Never throws.
  Response answer(const Request& request) const;
  // Whether the request is to a route that takes its body as a stream. Never throws.
  bool streams(const Request& request) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Node;
  struct Match;
  struct Answered;

  void insert(size_t index);
  Match find(const Request& request) const;
  Response answer_route(const Request& request, const Route& route) const;
  // False without a valid token; throws what refuses `caller`, who it then is.
  bool admit(const Request& request, const Route& route, Caller& caller) const;
  std::unique_ptr<Stream> guard(std::unique_ptr<Stream> stream, const Request& request, const Route& route,
                                const Caller& caller) const;
  template <class Work>
  Answered guarded(const Request& request, Work work) const;  // What `work` throws becomes the answer.
  Answered failed(const Request& request, int status, const Error& error) const;

  std::vector<Route> routes_;
  Gate& gate_;
  Log log_;
  const std::chrono::milliseconds check_streams_every_;
  std::unique_ptr<Node> root_;
};

// The problem document of an error, as every error answer carries it.
Response problem_response(int status, const Error& error, const std::string& request_id);

}  // namespace volary
