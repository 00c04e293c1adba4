// engine/image_name.h: what names a container image: "python:3.12", "ghcr.io/team/train@sha256:…".
#pragma once

#include <string>
#include <string_view>

namespace volary {

struct ImageName {
  std::string repository;  // "ghcr.io/team/train": everything before the tag or digest.
  std::string version;     // The tag, "latest" unless told, or the digest "sha256:…".

  bool is_by_digest() const { return version.find(':') != std::string::npos; }
  std::string text() const { return repository + (is_by_digest() ? "@" : ":") + version; }
  // Where it comes from: "ghcr.io"; "docker.io" unless the name says otherwise.
  std::string registry() const;
};

// Throws `invalid` quoting the name.
ImageName parse_image_name(std::string_view text);

}  // namespace volary
