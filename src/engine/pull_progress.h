// engine/pull_progress.h: what an engine says while it fetches an image, in one line.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/json.h"
#include "core/stream.h"

namespace volary {

// Takes the lines of the engine's answer, one JSON object each. Throws with the words of one that is an error.
class PullProgress final : public Sink {
 public:
  PullProgress(const std::string& image, std::function<void(const std::string&)> told)
      : image_(image), told_(std::move(told)) {}
  void write(std::string_view bytes) override;
  void finish();  // The last line may lack its end.
  std::string text() const;

 private:
  struct Layer {
    uint64_t current = 0;
    uint64_t total = 0;
    bool is_done = false;
  };
  void take_line(const std::string& line);

  std::string image_;
  std::function<void(const std::string&)> told_;
  std::string line_;
  std::map<std::string, Layer> layers_;
};

}  // namespace volary
