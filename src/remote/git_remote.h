// remote/git_remote.h: the files of a git repository at one commit as a Remote.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "remote/remote.h"

namespace volary {

enum class GitProtocols {
  served,  // http, https, file
  all,     // And ssh, with the keys and known hosts of this user.
};

struct GitOptions {
  std::string url{};              // "https://host/path.git", "file:///path", "ssh://…", "user@host:path"
  std::string revision = "HEAD";  // A branch, tag or commit; resolved at the first request, and kept.
  std::string user{};             // With the token; any will do for most hosts.
  std::string token{};            // "" is anonymous. Only for http and https.
  Path scratch{};                 // A directory to make the bare repository in, which goes with the remote.
  Path listing{};                 // A file that keeps the last listing, for an unchanged commit; "" is none.
  GitProtocols protocols{};
  std::string proxy{};
  std::string no_proxy{};
  std::optional<AddressKind> made_for{};  // As in HttpClientOptions.
  std::stop_token stop{};                 // Ends what is waited for, `unavailable`, and lets nothing more begin.
};

// Throws `invalid` for what is no URL of a repository, asks for another protocol, or has a password in it.
void check_git_url(const std::string& url, GitProtocols protocols);
void check_git_revision(const std::string& revision);

// To be read: put and remove throw `invalid`. Objects are the regular files of the commit's tree (their etag is the
// blob's hash); symbolic links and submodules are left out, and left_out() counts them. A name that is no path of a
// well-made tree ("..", ".git") makes the listing `corrupt`. Uses the program git: one fetch without history, and that
// only when bytes or an unknown listing are asked for.
class GitRemote : public Remote {
 public:
  // What the listing had that is no object; lists if nothing did yet.
  virtual uint64_t left_out() = 0;
};

std::unique_ptr<GitRemote> open_git_remote(const GitOptions& options, const RetryOptions& retries = {});

}  // namespace volary
