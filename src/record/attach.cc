// record/attach.cc: the grammar of record/attach.h.
#include "record/attach.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "core/error.h"
#include "core/name.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view forms =
    "expected VOLUME[@VERSION][/SUB]:/PATH[:ro|rw|rwd][:cache], CONTAINER@ALIAS[/PREFIX]:/PATH[:ro|rw|rwd][:cache], "
    "URL:/PATH or standalone:/PATH";
constexpr size_t container_bytes_max = 255;

std::string lower(std::string_view text) {
  std::string word(text);
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= container_bytes_max && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
         });
}

AttachSource url_source(std::string_view text) {
  const std::string scheme = lower(text.substr(0, text.find("://")));
  const std::string_view rest = text.substr(scheme.size() + 3);
  const bool is_git = text.ends_with(".git");
  const bool is_known = scheme == "http" || scheme == "https" || (scheme == "s3" && !is_git) ||
                        (scheme == "file" && is_git);
  if (!is_known || rest.empty() || rest.starts_with('/') != (scheme == "file"))
    throw Error(Errc::invalid,
                "'{}' is no URL that can be attached: expected https://HOST/NAME.git of a public repository, or "
                "http://, https:// or s3:// and one file", printable(text));
  return {.kind = is_git ? SourceKind::git : SourceKind::file, .url = std::string(text)};
}

[[noreturn]] void refuse_source(std::string_view text) {
  throw Error(Errc::invalid,
              "'{}' names nothing to attach: expected VOLUME[@VERSION][/SUB], CONTAINER@ALIAS[/PREFIX], a URL or "
              "standalone", printable(text));
}

std::string directory_text(std::string_view text) { return TreePath::parse_directory(text).text(); }

AttachSource store_source(std::string_view text, size_t colon) {
  const std::string_view directory = text.substr(colon + 1);
  if (directory.starts_with('/') || directory.ends_with(".git")) refuse_source(text);
  return {.kind = SourceKind::store, .name = Name::parse(lower(text.substr(0, colon)), "datastore").text(),
          .path = directory_text(directory)};
}

// What stands behind the path.
struct Words {
  std::string_view text;  // All, for messages.
  std::vector<std::string_view> left;

  [[noreturn]] void refuse(std::string_view word, std::string_view why) const {
    throw Error(Errc::invalid, "'{}' in '{}' {}", printable(word), printable(text), why);
  }
};

bool is_caching(const std::string& word) { return word == "cache" || word == "no-cache"; }
bool is_permission(const std::string& word) { return word == "ro" || word == "rw" || word == "rwd"; }

AttachAccess access_of(const std::string& word) {
  return word == "ro" ? AttachAccess::ro : word == "rw" ? AttachAccess::rw : AttachAccess::rwd;
}

void read_words(AttachWord& attach, Words words, bool is_standalone) {
  attach.access = is_standalone ? AttachAccess::rw : AttachAccess::ro;
  bool has_permission = false;
  bool has_caching = false;
  for (const std::string_view written : words.left) {
    const std::string word = lower(written);
    if (is_caching(word)) {
      if (has_caching)
        words.refuse(written, "says a second time whether to cache: expected one of cache and no-cache");
      has_caching = true;
      attach.cache = word == "cache";
    } else if (is_permission(word)) {
      if (has_permission) words.refuse(written, "is a second permission: expected one of ro, rw and rwd");
      if (has_caching)
        words.refuse(written, "stands behind the caching: expected the permission first, as in ':ro:cache'");
      has_permission = true;
      attach.access = access_of(word);
    } else if (word == "r0") {
      words.refuse(written, "is no permission, for it has the digit 0: expected ro, rw or rwd");
    } else {
      words.refuse(written,
                   "is no permission and no absolute path: expected ro, rw or rwd, and then cache or no-cache");
    }
  }
  if (!is_standalone) return;
  if (attach.access != AttachAccess::rw)
    words.refuse(words.left.front(),
                 "cannot be of a standalone directory, which begins empty and is not kept: expected rw");
  if (attach.cache) words.refuse(words.left.back(), "cannot be of a standalone directory: there is nothing to keep");
}

}  // namespace

AttachSource parse_attach_source(std::string_view text) {
  if (text == "standalone") return {.kind = SourceKind::standalone};
  if (text.find("://") != std::string_view::npos) return url_source(text);
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) return store_source(text, colon);
  const size_t slash = std::min(text.find('/'), text.size());
  const std::string_view name = text.substr(0, std::min(text.find('@'), slash));
  AttachSource source{.kind = SourceKind::named, .name = std::string(name),
                      .path = slash < text.size() ? directory_text(text.substr(slash + 1)) : ""};
  if (name.size() == slash) {
    Name::parse(name, "volume");
    return source;
  }
  source.word = text.substr(name.size() + 1, slash - name.size() - 1);
  if (!is_plain(name)) refuse_source(text);
  if (source.word.empty() || source.word.find('@') != std::string::npos)
    throw Error(Errc::invalid,
                "'{}' names nothing after '@': expected a version (a number, a tag, a checksum or 'head'), or the "
                "alias of a datastore", printable(text));
  return source;
}

AttachWord parse_attach_word(std::string_view text) {
  const size_t colon = text.rfind(":/");
  if (text.find(':') == std::string_view::npos)
    throw Error(Errc::invalid, "'{}' attaches nothing: {}", printable(text), forms);
  std::string_view rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (rest.empty() || rest.starts_with("//")) {
    const std::string_view last = text.substr(text.rfind(':') + 1);
    if (const std::string word = lower(last); rest.empty() && !is_permission(word) && !is_caching(word))
      throw Error(Errc::invalid, "'{}' in '{}' is no absolute path: {}", printable(last), printable(text), forms);
    throw Error(Errc::invalid, "'{}' has no path to stand at: {}", printable(text), forms);
  }
  AttachWord attach;
  Words words{text, {}};
  for (size_t end = rest.rfind(':'); end != std::string_view::npos; end = rest.rfind(':')) {
    words.left.insert(words.left.begin(), rest.substr(end + 1));
    rest = rest.substr(0, end);
  }
  attach.source = during(fmt::format("reading the attachment '{}'", printable(text)),
                         [&] { return parse_attach_source(text.substr(0, colon)); });
  read_words(attach, std::move(words), attach.source.kind == SourceKind::standalone);
  const std::string path = during(fmt::format("reading the attachment '{}'", printable(text)),
                                  [&] { return directory_text(rest); });
  if (path.empty())
    throw Error(Errc::invalid, "'{}' in '{}' is no place for a volume: expected an absolute path such as /data",
                printable(rest), printable(text));
  attach.path = "/" + path;
  return attach;
}

AttachSource parse_push_target(std::string_view text) {
  const auto refuse = [&] {
    throw Error(Errc::invalid, "'{}' is no place to push to: expected CONTAINER@ALIAS[/PREFIX]", printable(text));
  };
  if (text.find("://") != std::string_view::npos) refuse();
  AttachSource target = parse_attach_source(text);
  if (target.kind != SourceKind::store && target.word.empty()) refuse();
  return target;
}

std::string text_of(const AttachSource& source) {
  switch (source.kind) {
    case SourceKind::named:
      return source.name + (source.word.empty() ? "" : "@" + source.word) +
             (source.path.empty() ? "" : "/" + source.path);
    case SourceKind::store: return source.name + ":" + source.path;
    case SourceKind::git:
    case SourceKind::file: return source.url;
    case SourceKind::standalone: return "standalone";
  }
  return "";
}

std::string text_of(const AttachWord& word) {
  static constexpr std::array<std::string_view, 3> permissions = {"ro", "rw", "rwd"};
  return text_of(word.source) + ":" + word.path + ":" +
         std::string(permissions.at(static_cast<size_t>(word.access))) + (word.cache ? ":cache" : "");
}

}  // namespace volary
