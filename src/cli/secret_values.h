// cli/secret_values.h: where the values of a secret come from: variables, lines, a terminal; never from arguments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace volary {

using SecretValues = std::map<std::string, std::string>;

constexpr size_t secret_bytes_max = 64 * 1024;

// What the value of a variable is called in a secret; other names are their own.
//
//   AWS_ACCESS_KEY_ID access_key, AWS_SECRET_ACCESS_KEY secret_key, AWS_SESSION_TOKEN session_token; HF_TOKEN token;
//   OS_USERNAME username, OS_PASSWORD password, OS_PROJECT_NAME and OS_TENANT_NAME project,
//   OS_USER_DOMAIN_NAME user_domain, OS_PROJECT_DOMAIN_NAME project_domain,
//   OS_APPLICATION_CREDENTIAL_ID application_credential_id,
//   OS_APPLICATION_CREDENTIAL_SECRET application_credential_secret; ST_USER user, ST_KEY key
std::string stored_name(std::string name);

// Lines KEY=VALUE; empty ones and those that begin with '#' do not count, an `export ` before the key is forgiven, and
// so are quotes around the whole value. Variables are keys by their stored_name(). Throws `invalid` naming the line,
// never the value.
SecretValues parse_secret_values(std::string_view text, std::string_view name);

// The named variables; AWS's own three when none are named. Throws `invalid` for one that is not set.
SecretValues secret_values_of_environment(
    const std::vector<std::string>& names,
    const std::function<std::optional<std::string>(const std::string&)>& variable);

enum class Shown { no, yes };
struct AskedValue {
  std::string name;
  Shown shown = Shown::no;  // While it is typed.
  Need need = Need::required;
};
// access_key, secret_key and perhaps session_token.
std::vector<AskedValue> s3_keys();
// Asks for them on the terminal, one after another.
SecretValues ask_secret_values(const std::vector<AskedValue>& asked);

std::string read_standard_input();

}  // namespace volary
