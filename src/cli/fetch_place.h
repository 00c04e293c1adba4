// cli/fetch_place.h: from a URL to what lies there.
//
//   http://, https://               a file of a web server
//   s3://BUCKET/KEY                 an object of AWS, or of --endpoint; gs://BUCKET/KEY of Google, by the same protocol
//   hf://ORG/NAME[@REVISION][/PATH]         a file of a Hugging Face hub, or all of them; before ORG "datasets/" or
//                                           "spaces/", as the hub's own tools have it
//   https://HOST/NAME.git[@REVISION][//PATH]   a file of a git repository, or all of them; also ssh://, file:// and
//                                              USER@HOST:NAME.git
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/datastore_environment.h"
#include "remote/remote.h"

namespace volary {

struct FetchSource {
  std::string url{};
  std::optional<std::string> revision{};
  std::optional<std::string> endpoint{};
  std::optional<std::string> region{};
  bool from_env = false;
  bool allow_private = false;
  SecretValues values{};  // As in a secret: of who asks. Empty: as the environment says, if it is asked, or nobody.
};

struct FetchPlace {
  std::unique_ptr<HttpClient> http{};  // Which the next uses.
  std::unique_ptr<Remote> remote{};
  std::string key{};    // Of the one file; or what the keys of all begin with: "" or "directory/".
  bool is_tree = false;
  std::string name{};   // Of the file or directory here, unless told; safe as one.
};

// No request is sent yet. `scratch` makes the directory that a git repository needs meanwhile. Throws `invalid` for
// what is no such URL, `denied` for an address that is not of the internet, unless that is allowed.
FetchPlace open_fetch_place(const FetchSource& source, const Variable& variable, const std::function<Path()>& scratch);

}  // namespace volary
