// record/datastore.h: named aliases of object stores, and the secrets they refer to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class DatastoreKind { directory, s3 };
BOOST_DESCRIBE_ENUM(DatastoreKind, directory, s3)

enum class UrlStyle { path, virtual_host };
BOOST_DESCRIBE_ENUM(UrlStyle, path, virtual_host)

struct Datastore {
  std::string id;
  std::string project;
  std::string name;
  DatastoreKind kind{};
  std::string path;      // directory: absolute path on the server
  std::string endpoint;  // s3: "https://host[:port]"
  std::string region;    // s3
  std::string bucket;    // s3
  UrlStyle url_style{};  // s3
  std::string secret;    // Name of the secret; "" is anonymous.
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(Datastore, (), (id, project, name, kind, path, endpoint, region, bucket, url_style, secret,
                                      created_at))

// POST /datastores
struct NewDatastore {
  std::string name;
  DatastoreKind kind{};
  std::optional<std::string> path;
  std::optional<std::string> endpoint;
  std::optional<std::string> region;  // us-east-1
  std::optional<std::string> bucket;
  std::optional<UrlStyle> url_style;  // path
  std::optional<std::string> secret;
};
BOOST_DESCRIBE_STRUCT(NewDatastore, (), (name, kind, path, endpoint, region, bucket, url_style, secret))

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
