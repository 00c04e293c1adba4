// cli/node_file.h: what the machine gives to jobs, as an operator writes it.
//
//   capacity:                     # what all jobs together may hold; all that the machine has unless told
//     cpu: 16                     # cores
//     memory: 64GiB
//     gpu: 4                      # the first 4; or [0, 2]: these
//   jobs_max: 32                  # at once, whatever they hold; unless told
//   flavors:                      # what one unit is: counted by GPUs where it has any, by cores otherwise
//     ai1-1-gpu: {cpu: 13, memory: 40GiB, gpu: 1, units_max: 4}   # of a job; 4 unless told, 12 without GPUs
//     ai1-1-cpu: {cpu: 1, memory: 4GiB}
//   default_flavor: ai1-1-cpu     # of jobs that name none, and no memory
#pragma once

#include <string>

#include "core/file.h"
#include "record/node.h"

namespace volary {

// Throws `invalid` with "file:line: …".
NodePlan parse_node(const std::string& text, const std::string& file);
NodePlan read_node_file(const Path& file);

}  // namespace volary
