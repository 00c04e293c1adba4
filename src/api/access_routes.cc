// api/access_routes.cc: tokens, secrets and the audit.
#include "api/routes.h"

namespace volary {

void add_access_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/tokens", Permission::token_write,
                    {.name = "create_token", .summary = "Makes a token; the answer is the only time it is shown",
                     .status = 201},
                    [&services](const Call& call, const NewToken& wanted) {
                      return services.access.create_token(call.caller(), wanted);
                    }});
  routes.push_back({Method::get, "/api/v1/tokens", Permission::token_read,
                    {.name = "list_tokens", .summary = "All tokens of the tenant, without their secrets"},
                    [&services](const Call& call) {
                      return Page<Token>{services.access.list_tokens(call.caller()), std::nullopt};
                    }});
  routes.push_back({Method::delete_, "/api/v1/tokens/{token}", Permission::token_write,
                    {.name = "revoke_token", .summary = "Makes a token worthless, by its id or name"},
                    [&services](const Call& call) {
                      return services.access.revoke_token(call.caller(), call.path("token"));
                    }});
  routes.push_back({Method::post, "/api/v1/secrets", Permission::secret_write,
                    {.name = "create_secret", .summary = "Keeps values under a name; they are never shown again",
                     .status = 201},
                    [&services](const Call& call, const NewSecret& wanted) {
                      return services.secrets.create(call.caller(), wanted);
                    }});
  routes.push_back({Method::get, "/api/v1/secrets", Permission::secret_read,
                    {.name = "list_secrets", .summary = "The names of secrets and of their values"},
                    [&services](const Call& call) {
                      return Page<Secret>{services.secrets.list(call.caller()), std::nullopt};
                    }});
  routes.push_back({Method::delete_, "/api/v1/secrets/{secret}", Permission::secret_write,
                    {.name = "delete_secret", .summary = "Forgets a secret that no datastore uses"},
                    [&services](const Call& call) { services.secrets.remove(call.caller(), call.path("secret")); }});
  routes.push_back({Method::get, "/api/v1/audit", Permission::audit_read,
                    {.name = "list_audit", .summary = "Changes and refusals, newest first"},
                    [&services](const Call& call) {
                      const PageRequest page = call.page();
                      return services.audit.list(call.caller().tenant, page.cursor, page.limit);
                    }});
  routes.push_back({Method::get, "/api/v1/audit/verification", Permission::audit_read,
                    {.name = "verify_audit", .summary = "Checks that no audit record was altered, removed or put in"},
                    [&services](const Call&) { return services.audit.verify_chain(); }});
}

}  // namespace volary
