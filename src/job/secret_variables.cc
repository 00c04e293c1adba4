// job/secret_variables.cc: the rules and the sealing of job/secret_variables.h.
#include "job/secret_variables.h"

#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"
#include "job/request.h"

namespace volary {
namespace {

const std::string& key_of(const std::string& variable, const NewJobSecret& one) {
  return one.key ? *one.key : variable;
}

}  // namespace

void check_secret_variables(const NewJob& request) {
  for (const auto& [name, one] : request.secrets) {
    check_variable_name(name);
    if (request.env.contains(name))
      throw Error(Errc::invalid, "the variable {} is set twice, once as a secret: expected it once", name);
    if (one.value.has_value() == one.secret.has_value() || (one.key && !one.secret))
      throw Error(Errc::invalid, "the secret variable {} is to have a value, or the name of a secret and a key in it: "
                  "expected one of both", name);
    if (!one.value) continue;
    if (one.value->find('\0') != std::string::npos)
      throw Error(Errc::invalid, "the secret variable {} holds a NUL byte: expected none", name);
    if (one.value->size() > secret_value_bytes_max)
      throw Error(Errc::invalid, "the secret variable {} has {} bytes: expected at most {}", name, one.value->size(),
                  secret_value_bytes_max);
  }
}

void check_secrets_are_there(Secrets& secrets, const Caller& caller, const NewJob& request) {
  std::vector<Secret> known;
  for (const auto& [name, one] : request.secrets) {
    if (!one.secret) continue;
    if (known.empty()) known = secrets.list(caller);
    const auto found = std::find_if(known.begin(), known.end(), [&](const Secret& s) { return s.name == *one.secret; });
    if (found == known.end())
      throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(*one.secret));
    const std::string& key = key_of(name, one);
    if (std::find(found->keys.begin(), found->keys.end(), key) == found->keys.end())
      throw Error(Errc::not_found, "secret '{}' has no value '{}' for the variable {}", found->name, printable(key),
                  name);
  }
}

std::string seal_values(Secrets& secrets, const std::string& job_id, const std::string& project, NewJob& request) {
  std::map<std::string, std::string> values;
  for (auto& [name, one] : request.secrets) {
    if (!one.value) continue;
    values.emplace(name, std::move(*one.value));
    one.value.reset();
  }
  return values.empty() ? "" : secrets.seal(job_id, project, print_json(to_json(values)));
}

std::map<std::string, std::string> secret_variables(Secrets& secrets, const JobRow& job) {
  std::map<std::string, std::string> values;
  if (!job.sealed.empty())
    values = from_json<std::map<std::string, std::string>>(
        parse_json(secrets.unseal(job.id, job.project, job.sealed), "sealed variables"), "variables");
  for (const auto& [name, one] : job.spec.secrets) {
    if (!one.secret) continue;
    const auto opened = secrets.open(job.project, *one.secret);
    const auto found = opened.find(key_of(name, one));
    if (found == opened.end())
      throw Error(Errc::not_found, "secret '{}' has no value '{}' any more, for the variable {}", *one.secret,
                  key_of(name, one), name);
    values[name] = found->second;
  }
  return values;
}

}  // namespace volary
