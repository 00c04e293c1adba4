// record/exec.h: a command to be run beside a job's process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe/class.hpp>

namespace volary {

struct NewExec {
  std::vector<std::string> command;
  bool terminal = false;  // It gets one; else three pipes.
  std::optional<uint64_t> rows;  // Of the terminal; 24 and 80 unless told.
  std::optional<uint64_t> columns;
  std::map<std::string, std::string> env;  // Besides the job's own.
};
BOOST_DESCRIBE_STRUCT(NewExec, (), (command, terminal, rows, columns, env))

}  // namespace volary
