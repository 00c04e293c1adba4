// api/token_gate.cc: access/ behind the interface that the router knows.
//
//   Authorization: Bearer TOKEN     who calls
//   Volary-Project: NAME            the project the call is about; the caller's default one unless told
#include "api/token_gate.h"

namespace volary {
namespace {

class TokenGate final : public Gate {
 public:
  TokenGate(Access& access, Audit& audit) : access_(access), audit_(audit) {}

  std::optional<Caller> authenticate(const Request& request) override {
    constexpr std::string_view scheme = "Bearer ";
    const auto header = request.header("authorization");
    if (!header || !header->starts_with(scheme)) return std::nullopt;
    return access_.find_caller(std::string_view(*header).substr(scheme.size()));
  }

  void choose_project(Caller& caller, const Request& request) override {
    if (const auto project = request.header("volary-project")) caller = access_.in_project(caller, *project);
  }

  void authorize(const Caller& caller, Permission permission, const Request&) override {
    access_.require(caller, permission);
  }

  void record(const CallOutcome& outcome) override {
    AuditEntry entry;
    entry.tenant = outcome.caller.tenant;
    entry.subject = outcome.caller.name;
    entry.action = std::string(word_of(outcome.route.method)) + " " + outcome.route.pattern;
    entry.object = outcome.request.path;
    if (const auto key = outcome.request.parameter("key")) entry.object += "?key=" + *key;  // Of an object in a bucket.
    entry.outcome = outcome.code ? std::string(name_of(*outcome.code)) : "ok";
    entry.request = outcome.request.id;
    audit_.append(entry);
  }

 private:
  Access& access_;
  Audit& audit_;
};

}  // namespace

std::unique_ptr<Gate> make_token_gate(Access& access, Audit& audit) {
  return std::make_unique<TokenGate>(access, audit);
}

}  // namespace volary
