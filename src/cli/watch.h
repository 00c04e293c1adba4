// cli/watch.h: waiting for transfers and jobs, with what is seen of them on stderr.
#pragma once

#include <cstdint>
#include <string>

#include "cli/session.h"
#include "record/job.h"
#include "record/transfer.h"

namespace volary {

// Shows the progress until the transfer is terminal; the record as it is then. Ctrl-C says how to go on watching.
json::value watch_transfer(Session& session, const std::string& id);
// Says on stderr how it ended. A failed one is thrown as the Error it failed with; a cancelled one is exit code 130.
int transfer_result(Session& session, const Transfer& transfer);

enum class Logs { none, follow };  // Whether the log goes to stdout meanwhile.

// Shows each change of state until the job is terminal; the record as it is then.
json::value watch_job(Session& session, const std::string& id, Logs logs);
// DONE 0; FAILED the process's own code; INTERRUPTED 130; ERROR 70.
int exit_code_of(const Job& job);

}  // namespace volary
