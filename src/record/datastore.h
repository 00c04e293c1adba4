// record/datastore.h: named aliases of object stores, and the secrets they refer to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class DatastoreKind { directory, s3, hugging_face };
BOOST_DESCRIBE_ENUM(DatastoreKind, directory, s3, hugging_face)

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
  std::string endpoint;  // s3, hugging_face: "https://host[:port]"
  std::string region;    // s3
  std::string bucket;    // s3; "": all of the endpoint's, and keys begin with the bucket's name.
  UrlStyle url_style{};  // s3
  std::string repository;             // hugging_face: "organisation/name"
  RepositoryType repository_type{};   // hugging_face
  std::string revision;               // hugging_face: a branch, tag or commit, resolved anew by each transfer.
  std::string secret;    // Name of the secret; "" is anonymous.
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(Datastore, (), (id, project, name, kind, path, endpoint, region, bucket, url_style, repository,
                                      repository_type, revision, secret, created_at))

// POST /datastores
struct NewDatastore {
  std::string name;
  DatastoreKind kind{};
  std::optional<std::string> path;
  std::optional<std::string> endpoint;
  std::optional<std::string> region;  // us-east-1
  std::optional<std::string> bucket;
  std::optional<UrlStyle> url_style;  // path
  std::optional<std::string> repository;
  std::optional<RepositoryType> repository_type;  // model
  std::optional<std::string> revision;            // main
  std::optional<std::string> secret;
};
BOOST_DESCRIBE_STRUCT(NewDatastore, (), (name, kind, path, endpoint, region, bucket, url_style, repository,
                                         repository_type, revision, secret))

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
