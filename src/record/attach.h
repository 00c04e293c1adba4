// record/attach.h: what one word attaches to a job, as the command line, a job's file and the API write it.
//
//   attachment  = source ":" mount-path [ ":" permission ] [ ":" caching ]               read from the right
//   source      = volume [ "@" version ] [ "/" subdirectory ]
//               | container "@" datastore [ "/" [ prefix ] ]
//               | datastore ":" directory                     the same place, as transfers write it
//               | url                                         of a git repository (it ends in ".git"), or of a file
//               | "standalone"                                an empty directory that is not kept
//   permission  = "ro" | "rw" | "rwd"                         in either case; ro unless told, rw of a standalone one
//   caching     = "cache" | "no-cache"                        in either case; no-cache unless told
//   target      = container "@" datastore [ "/" [ prefix ] ] | datastore ":" directory   where a job's changes go
//
// Whether NAME@WORD is a version of a volume or a container of a datastore, only the project knows (job/attaching.h).
#pragma once

#include <string>
#include <string_view>

#include <boost/describe.hpp>

namespace volary {

enum class AttachAccess {
  ro,   // Writing is impossible: EROFS from the kernel.
  rw,   // What was added and changed is kept, or pushed; deletions are not.
  rwd,  // Deletions too.
};
BOOST_DESCRIBE_ENUM(AttachAccess, ro, rw, rwd)

enum class SourceKind {
  named,       // A volume, or with '@' perhaps a container.
  store,       // A directory of a datastore.
  git,
  file,        // One file, by http, https or s3.
  standalone,
};

struct AttachSource {
  SourceKind kind{};
  std::string name{};  // named: of the volume or container; store: of the datastore.
  std::string word{};  // named: the version or datastore after '@'; "": neither.
  std::string path{};  // named, store: the subdirectory, or what the objects' keys begin with; "": all.
  std::string url{};   // git, file
  bool operator==(const AttachSource&) const = default;
};

struct AttachWord {
  AttachSource source;
  std::string path;  // Where it stands in the job: absolute, without a slash at its end.
  AttachAccess access{};
  bool cache = false;
  bool operator==(const AttachWord&) const = default;
};

// Throw `invalid`, quoting the word that is wrong and naming the right ones. What text_of() writes is read as the same.
AttachWord parse_attach_word(std::string_view text);
AttachSource parse_attach_source(std::string_view text);
// A target; kind `named` with a word, or `store`.
AttachSource parse_push_target(std::string_view text);

std::string text_of(const AttachSource& source);
std::string text_of(const AttachWord& word);

}  // namespace volary
