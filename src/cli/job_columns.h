// cli/job_columns.h: jobs as rows and as sheets.
#pragma once

#include "cli/command.h"
#include "cli/session.h"
#include "record/job.h"

namespace volary {

const std::vector<Column<Job>>& job_columns();
const std::vector<Column<DataSync>>& data_sync_columns();
// One job: its sheet, what is attached, and its history.
void print_job(Session& session, const json::value& job);
Command job_list_command();

}  // namespace volary
