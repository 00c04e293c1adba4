// record/datastore.h: named aliases of object stores, and the secrets they refer to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class DatastoreKind {
  directory,
  s3,
  hugging_face,  // A repository of a hub; can only be read, as all below but the last.
  http,          // Files of a web server.
  git,           // A repository at a branch, tag or commit.
  swift,
};
BOOST_DESCRIBE_ENUM(DatastoreKind, directory, s3, hugging_face, http, git, swift)

// Of a Hugging Face hub.
enum class RepositoryType { model, dataset, space };
BOOST_DESCRIBE_ENUM(RepositoryType, model, dataset, space)

enum class UrlStyle { path, virtual_host };
BOOST_DESCRIBE_ENUM(UrlStyle, path, virtual_host)

struct Datastore {
  std::string id;
  std::string project;
  std::string name;
  DatastoreKind kind{};
  std::string path;      // directory: absolute path on the server
  std::string endpoint;  // s3, hugging_face: "https://host[:port]"; swift: where one authenticates; http, git: the URL
  std::string region;    // s3, swift
  std::string bucket;    // s3, swift; "": all of the endpoint's, and keys begin with the bucket's name.
  UrlStyle url_style{};  // s3
  std::string repository;             // hugging_face: "organisation/name"
  RepositoryType repository_type{};   // hugging_face
  std::string revision;               // hugging_face, git: a branch, tag or commit, resolved anew by each transfer.
  std::string secret;    // Name of the secret; "" is anonymous.
  std::string proxy;     // "http://host:port" that its requests go through; "" is none.
  std::string no_proxy;  // Hosts that are reached without it, between commas.
  std::string reach;     // Where its host led when it was made: open, private_network, this_machine; "" is anywhere.
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(Datastore, (), (id, project, name, kind, path, endpoint, region, bucket, url_style, repository,
                                      repository_type, revision, secret, proxy, no_proxy, reach, created_at))

// POST /datastores
struct NewDatastore {
  std::string name{};
  DatastoreKind kind{};
  std::optional<std::string> path{};
  std::optional<std::string> endpoint{};
  std::optional<std::string> region{};  // us-east-1
  std::optional<std::string> bucket{};
  std::optional<UrlStyle> url_style{};  // path
  std::optional<std::string> repository{};
  std::optional<RepositoryType> repository_type{};  // model
  std::optional<std::string> revision{};            // main; HEAD for git
  std::optional<std::string> secret{};
  std::optional<std::string> proxy{};
  std::optional<std::string> no_proxy{};
};
BOOST_DESCRIBE_STRUCT(NewDatastore, (), (name, kind, path, endpoint, region, bucket, url_style, repository,
                                         repository_type, revision, secret, proxy, no_proxy))

enum class CheckAnswer {
  yes,
  no,
  unknown,  // There was nothing to try it with.
};
BOOST_DESCRIBE_ENUM(CheckAnswer, yes, no, unknown)

// One thing that was tried.
struct CheckedAct {
  std::string act;  // list, read, write, delete
  CheckAnswer works{};
  std::string reason;  // Of a no or unknown; otherwise what was seen.
};
BOOST_DESCRIBE_STRUCT(CheckedAct, (), (act, works, reason))

// POST /datastores/{datastore}/check
struct DatastoreCheck {
  std::string datastore;
  std::string where{};
  std::vector<CheckedAct> acts{};
};
BOOST_DESCRIBE_STRUCT(DatastoreCheck, (), (datastore, where, acts))

// A secret as it may be seen: never its values.
struct Secret {
  std::string id;
  std::string project;
  std::string name;
  std::vector<std::string> keys;  // "access_key", "secret_key", …
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(Secret, (), (id, project, name, keys, created_at))

// POST /secrets: the one time the values travel.
struct NewSecret {
  std::string name;
  std::map<std::string, std::string> values;
};
BOOST_DESCRIBE_STRUCT(NewSecret, (), (name, values))

}  // namespace volary
