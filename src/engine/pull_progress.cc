// engine/pull_progress.cc: layers counted.
#include "engine/pull_progress.h"

#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t line_bytes_max = 1 << 20;

uint64_t number_in(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (found && found->is_int64() && found->get_int64() > 0) return static_cast<uint64_t>(found->get_int64());
  return found && found->is_uint64() ? found->get_uint64() : 0;
}

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

void PullProgress::write(std::string_view bytes) {
  line_.append(bytes);
  if (line_.size() > line_bytes_max)
    throw Error(Errc::corrupt, "the engine answers with a line of more than {}", bytes_text(line_bytes_max));
  for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1))
    take_line(line_.substr(0, end));
}

void PullProgress::finish() {
  take_line(line_);
  line_.clear();
}

void PullProgress::take_line(const std::string& line) {
  if (line.find_first_not_of(" \r\n") == std::string::npos) return;
  const json::value value = parse_json(line, "the engine's answer");
  if (!value.is_object()) return;
  const json::object& object = value.get_object();
  if (const std::string error = text_in(object, "error"); !error.empty())
    throw Error(Errc::invalid, "the image {} cannot be had: {}", image_, printable(error));
  const std::string id = text_in(object, "id"), status = text_in(object, "status");
  if (id.empty() || id == image_ || status.starts_with("Pulling from")) return;
  Layer& layer = layers_[id];
  if (const json::value* detail = object.if_contains("progressDetail");
      detail && detail->is_object() && status == "Downloading") {
    layer.current = number_in(detail->get_object(), "current");
    layer.total = number_in(detail->get_object(), "total");
  }
  if (status == "Download complete" || status == "Verifying Checksum") layer.current = layer.total;
  if (status == "Pull complete" || status == "Already exists") layer.is_done = true;
  told_(text());
}

std::string PullProgress::text() const {
  uint64_t current = 0, total = 0;
  size_t done = 0;
  for (const auto& [id, layer] : layers_) {
    current += layer.current;
    total += layer.total;
    done += layer.is_done ? 1 : 0;
  }
  std::string text = fmt::format("fetches the image {}: {} of {} layers", image_, done, layers_.size());
  if (total > 0) text += fmt::format(", {} of {}", bytes_text(current), bytes_text(total));
  return text;
}

}  // namespace volary
