// workload/main.cc: the program that the fault harnesses run; the parts of Volary without its server, in one process.
//
//   volary_workload acts                         the names of the acts
//   volary_workload inputs INPUTS                makes what the acts put into volumes
//   volary_workload prepare ACT DATA INPUTS      makes a data directory on which ACT can be performed
//   volary_workload perform ACT DATA INPUTS      performs it; each line on standard output is an acknowledgement
//   volary_workload recover DATA                 opens it as the next start would, and no more
//   volary_workload check DATA INPUTS ACKED      opens the directory after a crash and says what is wrong: exit 1
#include <cstdio>

#include "workload/place.h"

namespace volary {
namespace {

int run(const std::vector<std::string>& words) {
  const auto is = [&](std::string_view word, size_t count) { return words.size() == count && words[0] == word; };
  if (is("acts", 1)) {
    for (const std::string& name : names_of_acts()) acknowledge("{}", name);
  } else if (is("inputs", 2)) {
    make_inputs(words[1]);
  } else if (is("prepare", 4)) {
    prepare(words[1], words[2], words[3]);
  } else if (is("perform", 4)) {
    perform(words[1], words[2], words[3]);
  } else if (is("recover", 2)) {
    Place place(words[1]);
    place.uploads.start();
  } else if (is("check", 4)) {
    const auto found = check(words[1], words[2], read_file(words[3]));
    for (const std::string& line : found) acknowledge("{}", line);
    return found.empty() ? 0 : 1;
  } else {
    throw Error(Errc::invalid, "usage: volary_workload acts | inputs | prepare | perform | check …");
  }
  return 0;
}

}  // namespace
}  // namespace volary

int main(int argc, char** argv) {
  try {
    return volary::run({argv + 1, argv + argc});
  } catch (const volary::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
}
