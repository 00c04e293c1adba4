// fuzz/job_config_fuzz.cc: a job's file, from YAML to the request. Nothing crashes, and every refusal names the file.
#include <unistd.h>

#include "cli/job_config.h"
#include "fuzz.h"

using namespace volary;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Path directory = [] {
    const Path made = std::filesystem::temp_directory_path() / ("volary-fuzz-" + std::to_string(::getpid()));
    make_directories(made);
    std::atexit([] { remove_tree(std::filesystem::temp_directory_path() / ("volary-fuzz-" + std::to_string(::getpid()))); });
    return made;
  }();
  const std::string text(text_of(bytes, size));
  if (!reads([&] { parse_yaml(text, "config.yaml"); })) return 0;
  const Path file = directory / "config.yaml";
  const Fd fd = (remove_file(file), create_file(file));
  write_all(fd.get(), text, file);
  reads([&] {
    const NewJob job = read_job(file, {});
    require(!job.command.empty());
  });
  return 0;
}
