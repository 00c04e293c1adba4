// cli/plan_file.cc: the documents of cli/plan_file.h.
#include "cli/plan_file.h"

#include <map>

namespace volary {
namespace {

constexpr uint64_t plan_bytes_max = 4ull << 30;
constexpr size_t changes_shown_max = 10;

// Of the document, as record/plan.h says.
std::string digest_of(const json::value& document) {
  Hasher hasher;
  json::object head;
  for (const auto& [key, value] : document.get_object()) {
    if (key == "items") break;
    head.emplace(key, value);
  }
  hasher.update(print_json(head) + "\n");
  for (const json::value& item : document.at("items").as_array()) hasher.update(print_json(item) + "\n");
  return hasher.finish().hex();
}

PlanFile parse_plan(std::string_view text, const std::string& name) {
  const json::value document = parse_json(text, name);
  const json::object* object = document.if_object();
  const json::value* format = object ? object->if_contains("format") : nullptr;
  if (!format || !format->is_string() || format->get_string() != plan_format)
    throw Error(Errc::invalid, "{} is no plan: expected a file that --plan FILE wrote, with \"format\": \"{}\"", name,
                plan_format);
  PlanFile plan = from_json<PlanFile>(document, "plan");
  if (digest_of(document) != plan.digest)
    throw Error(Errc::invalid, "{} was changed since it was made: expected it as --plan FILE wrote it; make a new one",
                name);
  return plan;
}

std::string plan_path(const std::string& volume, TransferKind kind) {
  return api_path({"volumes", volume, route_of(kind), "plan-file"});
}

// The etags of the datastore's objects that a plan has, by path.
std::map<std::string, std::string> objects_of(const PlanFile& plan) {
  std::map<std::string, std::string> objects;
  const bool imports = plan.kind == TransferKind::import;
  for (const PlanItem& item : plan.items) {
    const bool from_source = item.act == PlanAct::copy || item.act == PlanAct::skip;
    const bool replaces = item.act == PlanAct::copy && item.reason == "differs";
    const bool is_object = imports ? from_source : !from_source || item.act == PlanAct::skip || replaces;
    if (is_object) objects.emplace(item.path, item.etag);
  }
  return objects;
}

// "'a' is new, 'b' is another, 'c' is gone", or "" if none of these is it.
std::string changes_between(const PlanFile& then, const PlanFile& now) {
  const auto before = objects_of(then);
  const auto after = objects_of(now);
  std::vector<std::string> changes;
  for (const auto& [path, etag] : after) {
    const auto found = before.find(path);
    if (found == before.end()) changes.push_back("'" + path + "' is new");
    else if (found->second != etag) changes.push_back("'" + path + "' has changed");
  }
  for (const auto& [path, etag] : before)
    if (!after.contains(path)) changes.push_back("'" + path + "' is gone");
  std::string text;
  for (size_t i = 0; i < std::min(changes.size(), changes_shown_max); ++i) text += (i ? ", " : "") + changes[i];
  if (changes.size() > changes_shown_max)
    text += fmt::format(" and {} more changes", changes.size() - changes_shown_max);
  return text;
}

}  // namespace

std::string route_of(TransferKind kind) { return kind == TransferKind::import ? "imports" : "exports"; }

PlanView save_plan(Session& session, TransferKind kind, const std::string& volume, const NewTransfer& asked,
                   const Path& path) {
  TempFile file(path.has_parent_path() ? path.parent_path() : Path("."));
  session.client().post_stream(plan_path(volume, kind), to_json(asked), file);
  const PlanFile plan = read_plan_file(file.path());  // An answer that was cut off is no plan.
  sync_file(file.fd(), path);
  file.move_to(path);
  return plan.plan;
}

PlanFile read_plan_file(const Path& path) {
  return parse_plan(read_file(path, plan_bytes_max), "'" + path.string() + "'");
}

void check_still_holds(Session& session, const PlanFile& plan, const Path& path) {
  StringSink answer;
  session.client().post_stream(plan_path(plan.volume, plan.kind), to_json(plan.request), answer);
  const PlanFile now = parse_plan(answer.text, "the server's answer");
  const PlanSides& found = now.plan.sides;
  const PlanSides& expected = plan.plan.sides;
  if (found.tree != expected.tree)
    throw Error(Errc::conflict,
                "the plan '{}' does not hold any more: volume '{}' is at version {} now, and was at version {} when it "
                "was made; make a new one", path.string(), plan.volume, found.version, expected.version);
  if (found.listing == expected.listing) return;
  const std::string changes = changes_between(plan, now);
  throw Error(Errc::conflict,
              "the plan '{}' does not hold any more: {} has other objects now: {}; make a new one", path.string(),
              plan.request.datastore,
              changes.empty() ? fmt::format("{}, and had {}", found.objects, expected.objects) : changes);
}

}  // namespace volary
