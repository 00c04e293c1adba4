// volume/datastore_check.cc: what a datastore lets one do, found out by doing it.
//
// Objects are listed up to the first with bytes, one byte of that is read, and a probe of a few bytes is written and
// removed again; each by itself, so that one refusal says nothing of the others.
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/retry.h"
#include "volume/datastores.h"

namespace volary {
namespace {

constexpr std::string_view probe_bytes = "Volary looked whether it may write here.\n";

CheckedAct answered(std::string act, const std::optional<Error>& error, std::string seen) {
  if (!error) return {std::move(act), CheckAnswer::yes, std::move(seen)};
  return {std::move(act), CheckAnswer::no, error->what()};
}

class Check {
 public:
  Check(Remote& remote, std::string directory) : remote_(remote), directory_(std::move(directory)) {}

  std::vector<CheckedAct> run(CheckWrites writes) {
    list();
    read();
    if (writes == CheckWrites::yes) write();
    return std::move(acts_);
  }

 private:
  void list() {
    if (!remote_.has_listing()) return reach();
    constexpr const char* enough = "the first object is enough";
    bool is_stopped = false;
    const auto error = error_of([&] {
      remote_.list(directory_, [&](const RemoteObject& object) {
        if (object.size == 0) return;
        first_ = object;
        is_stopped = true;
        throw Error(Errc::conflict, "{}", enough);
      });
    });
    const std::string seen = first_ ? fmt::format("saw '{}'", printable(first_->key)) : "saw no object with bytes";
    acts_.push_back(answered("list", is_stopped ? std::nullopt : error, seen));
  }

  // What can only be asked for by name is asked for a name that nothing has.
  void reach() {
    const auto error = error_of([&] { (void)remote_.find(directory_ + "volary-check-" + random_hex(8)); });
    acts_.push_back(answered("reach", error, "it answers"));
    acts_.push_back({"list", CheckAnswer::no, "a web server's directory has no listing: name the files to import"});
  }

  void read() {
    if (!first_) {
      acts_.push_back({"read", CheckAnswer::unknown, "there is no object to try it with"});
      return;
    }
    StringSink sink;
    const auto error =
        error_of([&] { remote_.get(first_->key, {.range = Range{0, 1}, .if_match = first_->etag}, sink); });
    acts_.push_back(answered("read", error,
                             fmt::format("'{}' has {}", printable(first_->key), bytes_text(first_->size))));
  }

  void write() {
    const std::string key = directory_ + "volary-check-" + random_hex(8);
    StringSource source(probe_bytes);
    const auto refused = error_of([&] { remote_.put(key, source, probe_bytes.size()); });
    acts_.push_back(answered("write", refused, fmt::format("wrote '{}'", key)));
    if (refused) {
      acts_.push_back({"delete", CheckAnswer::unknown, "there is nothing of ours to try it with"});
      return;
    }
    const auto error = error_of([&] { remote_.remove(key); });
    acts_.push_back(answered("delete", error, fmt::format("removed '{}'", key)));
    if (error) acts_.back().reason += fmt::format("; '{}' was left behind", key);
  }

  Remote& remote_;
  const std::string directory_;
  std::optional<RemoteObject> first_;
  std::vector<CheckedAct> acts_;
};

}  // namespace

DatastoreCheck Datastores::check(const Caller& caller, const std::string& name, CheckWrites writes) {
  const Datastore datastore = get(caller, name);
  DatastoreCheck result{.datastore = datastore.name, .where = "", .acts = {}};
  std::unique_ptr<Remote> remote;
  // A secret that is gone or a directory that is not there is an answer, too.
  if (const auto error = error_of([&] { remote = open(datastore); })) {
    result.acts.push_back({"open", CheckAnswer::no, error->what()});
    return result;
  }
  result.where = remote->description();
  const auto refused = error_of([&] { check_writable(datastore); });
  const bool is_account = (datastore.kind == DatastoreKind::s3 || datastore.kind == DatastoreKind::swift) &&
                          datastore.bucket.empty();
  const bool may_write = !refused && !is_account && writes == CheckWrites::yes;
  result.acts = Check(*remote, "").run(may_write ? CheckWrites::yes : CheckWrites::no);
  if (writes == CheckWrites::no || may_write) return result;
  const std::string why = is_account ? "nothing is written without a bucket: give the datastore one to try it"
                                     : "Volary only reads from datastores of this kind";
  const CheckAnswer works = is_account ? CheckAnswer::unknown : CheckAnswer::no;
  for (const char* act : {"write", "delete"}) result.acts.push_back({act, works, why});
  return result;
}

}  // namespace volary
