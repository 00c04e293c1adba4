// remote/text_content.h: a text as content that is put, by a process that may die meanwhile. Only tests include it.
#pragma once

#include <cstring>
#include <string>

#include "core/error.h"
#include "remote/parted.h"

namespace volary {

class TextContent final : public Content {
 public:
  explicit TextContent(std::string text) : text_(std::move(text)) {}
  uint64_t size() const override { return text_.size(); }
  uint64_t step_bytes() const override { return 1 << 20; }
  void show(const Range& range, const std::function<void(std::string_view)>& visit) override {
    visit(std::string_view(text_).substr(range.offset, range.size));
  }
  void check() override {}
  void read_at(uint64_t offset, std::span<char> to) override {
    if (offset >= readable) throw Error(Errc::internal, "the process has died");
    std::memcpy(to.data(), text_.data() + offset, to.size());
  }

  uint64_t readable = UINT64_MAX;

 private:
  const std::string text_;
};

}  // namespace volary
