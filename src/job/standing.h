// job/standing.h: who stands in the queue and who holds a share of the machine, read from rows; and in words, what one
// that waits is waiting for. For this folder only.
//
// A job stands in the queue (job.in_queue) while it is QUEUED and waits for nothing but its turn. It holds its share
// from INITIALIZING until its process is gone, and its place until it has ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "db/database.h"
#include "job/queue.h"
#include "job/rows.h"

namespace volary {

struct QueuedJob {
  std::string id;
  std::string project;
  uint64_t run = 0;
  Share share;
  std::string turn;  // Of the table; "" if it has not been looked at.
};
// In order.
std::vector<QueuedJob> queue_of(Transaction& transaction);

// Under way, and not in the queue.
struct WorkingJob {
  std::string id;
  JobState state{};
  std::string project;
  Time queued_at;
  Share holds;
  std::vector<uint64_t> gpus;
};
std::vector<WorkingJob> at_work(Transaction& transaction);  // By when they were asked for.

Quotas quotas_of(Transaction& transaction);

Share share_of(const JobRow& row);
// What of its share a job holds in this state.
Share held_in(JobState state, const Share& share);

// Puts the job into the queue, unless it waits for something else.
void queue_if_ready(Transaction& transaction, const std::string& job_id);
// Writes down why a job of the queue has to wait, from now on.
void note_turn(Transaction& transaction, const QueuedJob& job, Turn turn, Time now);

// "2 GPUs, 4 cores"; "1 place" of what asks for nothing more.
std::string share_text(const Share& share);
// Of a job in the queue, without numbers: what its row says.
std::string turn_text(const JobRow& row);
// With numbers, as it is now: "waits for 4 GPUs: 1 of 4 is free; 3rd in the queue".
std::string standing_text(Transaction& transaction, const Share& capacity, const JobRow& row);
// Who holds what it waits for; of other projects, only how much.
std::string holders_text(Transaction& transaction, const Share& capacity, const JobRow& row);

}  // namespace volary
