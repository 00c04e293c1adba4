// cli/work_files.h: the small files that travel with a job: its scripts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "record/job.h"

namespace volary {

constexpr size_t work_files_max = 256;
constexpr size_t work_bytes_max = 1 << 20;

// Regular files below `directory`, without `config_name` in it, hidden names and __pycache__. Throws `exhausted` above
// the limits, `invalid` for a symbolic link or a special file.
std::vector<WorkFile> read_work_files(const Path& directory, const std::string& config_name);

// RFC 4648, with padding.
std::string base64_text(std::string_view bytes);

}  // namespace volary
