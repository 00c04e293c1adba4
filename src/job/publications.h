// job/publications.h: what a job has written so far is published while it runs, without anybody asking: each
// `publish_every_seconds`, and when a file of the name `publish_marker` appears in the root of what it may write. What
// a lost machine loses is then what was written since.
//
// Both are decided from rows: when the last one began, and which appearance of the marker it was of. What is due
// becomes waiting rows of table data_sync, and from there on is what `job push-data` asks for.
#pragma once

#include <string>

#include "core/clock.h"
#include "db/database.h"
#include "job/jobs.h"
#include "job/rows.h"

namespace volary {

constexpr int64_t publish_every_seconds_min = 10;

// Throws `invalid` where nothing could be published, or not so often.
void check_publications(const NewJob& request);

// Of a job that runs: asks for what is due of each attachment, unless that is being published just now. A marker whose
// publication failed is due again.
void want_publications(Database& database, const JobRow& job, const JobPlaces& places, Time now);

// What of an attachment was to be published and is there already; "" without `publish_…` and where nobody asked.
// "; 'out@3' has what it had written by 2026-11-21T18:40:03.000000Z"
std::string published_text(Transaction& transaction, const JobRow& job);

}  // namespace volary
