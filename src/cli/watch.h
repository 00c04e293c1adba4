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
// The files that it did not copy for reasons of their own, on stderr; the first ten.
void show_failures(Session& session, const Transfer& transfer);
// Says on stderr how it ended. A failed one is thrown as the Error it failed with; a cancelled one is exit code 130.
int transfer_result(Session& session, const Transfer& transfer);
// The same, and prints what it made, "wiki@3" or "corpora:wiki", or the record if one was asked for.
int end_of_transfer(Session& session, const json::value& answer);

enum class Detach { no, yes };
// What was accepted is watched to its end, or only named.
int begun(Session& session, const json::value& accepted, Detach detach);

// "corpora:wiki" and "wiki:/" of an import, the other way round of an export; a path of a snapshot.
std::string source_of(const Transfer& transfer);
std::string target_of(const Transfer& transfer);

enum class Logs { none, follow };  // Whether the log goes to stdout meanwhile.

// Prints the log of run `run`, 0 for the newest, and of those that follow it by themselves, until the job has ended.
// `wish` as for Client::read_log(), of the first of them.
void follow_log(Session& session, const std::string& id, uint64_t run, Query wish, Sink& sink);
// Shows each change of state of run `first_run`, 0 for the newest, and of those that follow it by themselves, until the
// job is terminal; the record as it is then.
json::value watch_job(Session& session, const std::string& id, Logs logs, uint64_t first_run = 0);
// DONE 0; FAILED the process's own code; INTERRUPTED 130; ERROR 70.
int exit_code_of(const Job& job);

}  // namespace volary
