// job/attaching.h: from what a job asks to attach, to the volumes and leases that it gets. For this folder only.
//
// NAME@WORD is a container if the project has a datastore WORD, and a version of a volume otherwise; what could be both
// is refused. A volume is attached as it is. For everything else the job gets a staged volume
// (volume/staged_volumes.h), which is filled in INITIALIZING.
#pragma once

#include <map>
#include <string>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/job.h"
#include "volume/datastores.h"

namespace volary {

// The datastores of the URLs that a job attaches, by URL.
using UrlStores = std::map<std::string, Datastore>;
bool attaches_urls(const NewJob& request);
UrlStores url_stores(Datastores& datastores, const Caller& caller, const NewJob& request, Asker asker);

// Takes the leases that the attachments need, or stands in line for those of the volumes to be written, and writes
// their rows. Throws `invalid`, `not_found`, `conflict` for a volume that has a writer.
void attach(Transaction& transaction, const Caller& caller, const std::string& job_id, const NewJob& request,
            const UrlStores& urls, Time now);

// Whether anything is attached but volumes of the project, or pushed elsewhere, so that data will be moved.
bool moves_data(Transaction& transaction, const std::string& job_id);

}  // namespace volary
