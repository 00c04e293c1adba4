// api/content.cc: ranges, and the stream of api/content.h.
#include "api/content.h"

#include <charconv>

#include "core/error.h"
#include "core/file.h"

namespace volary {
namespace {

struct Range {
  uint64_t from = 0;
  uint64_t to = 0;  // Behind the last byte.
};

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "bytes=0-99", "bytes=100-", "bytes=-5". Nothing for what is no single range of bytes: it is to be ignored. A range
// outside the file is empty.
std::optional<Range> parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!text.starts_with(unit)) return std::nullopt;
  text.remove_prefix(unit.size());
  const size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto first = number_of(text.substr(0, dash));
  const auto last = number_of(text.substr(dash + 1));
  if (dash == 0) return last ? std::optional(Range{size - std::min(*last, size), size}) : std::nullopt;
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Range{};
  return Range{*first, last && *last < size ? *last + 1 : size};
}

class FileStream final : public Stream {
 public:
  FileStream(const VolumeFile& file, const Range& range)
      : file_(file), fd_(open_to_read(file.blob)), at_(range.from), end_(range.to),
        is_whole_(range.from == 0 && range.to == file.size) {}

  std::optional<std::string> poll() override {
    if (at_ == end_) return std::nullopt;
    std::string block(std::min<uint64_t>(end_ - at_, block_bytes), '\0');
    block.resize(read_some_at(fd_.get(), block, at_, file_.blob));
    at_ += block.size();
    if (is_whole_) hasher_.update(block);
    if (block.empty() || (is_whole_ && at_ == end_ && hasher_.finish() != file_.digest))
      throw Error(Errc::corrupt, "the bytes of object {} are damaged", file_.digest.hex());
    return block;
  }

 private:
  const VolumeFile file_;
  Fd fd_;
  uint64_t at_;
  const uint64_t end_;
  const bool is_whole_;
  Hasher hasher_;
};

}  // namespace

Response content_response(const Request& request, const VolumeFile& file) {
  Response response;
  response.content_type = "application/octet-stream";
  const std::string tag = "\"" + file.digest.hex() + "\"";
  response.headers = {{"etag", tag}, {"accept-ranges", "bytes"}};
  if (request.header("if-none-match").value_or("").find(tag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  Range range{0, file.size};
  const auto wanted = request.header("range");
  const auto condition = request.header("if-range");
  if (wanted && (!condition || *condition == tag)) {
    if (const auto part = parse_range(*wanted, file.size)) {
      if (part->from == part->to) {
        response.status = 416;
        response.headers.emplace_back("content-range", fmt::format("bytes */{}", file.size));
        return response;
      }
      range = *part;
      response.status = 206;
      response.headers.emplace_back("content-range",
                                    fmt::format("bytes {}-{}/{}", range.from, range.to - 1, file.size));
    }
  }
  if (range.from == range.to) return response;
  response.stream = std::make_unique<FileStream>(file, range);
  response.stream_bytes = range.to - range.from;
  return response;
}

}  // namespace volary
