// job/explain_lines.h: what explanations of all kinds are made of. For this folder only.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/clock.h"
#include "record/explanation.h"
#include "volume/happenings.h"
#include "volume/transfers.h"

namespace volary {

struct JobRow;  // job/rows.h

// "0.3s", "12s", "3m10s".
std::string duration_text(int64_t micros);
// Bytes in a second; nothing for no time.
std::optional<uint64_t> rate_of(uint64_t bytes, int64_t micros);
// A happening as a line, with its rate; what lasts is said to.
ExplainedLine line_of(const Happening& happening, Time now);
// One that took no time.
ExplainedLine moment(Time at, Cause cause, std::string what);
// By time; what happened at the same moment stays in its order.
void sort_lines(std::vector<ExplainedLine>& lines);
// An Error's lines as one sentence.
std::string one_line(const std::string& error);
std::string counted(uint64_t count, const std::string& noun);  // "1 file", "2 files"
// What is written down of a transfer, and of its requests what is not yet. `under_way` was asked for before the
// transaction began.
std::vector<Happening> happenings_until_now(Transaction& transaction, const std::string& transfer,
                                            const TransfersUnderWay& under_way);
// What was and is pulled and pushed for a job, with how much and how fast, and what came of it.
void add_syncs(Transaction& transaction, const JobRow& job, const TransfersUnderWay& under_way, Time now,
               std::vector<ExplainedLine>& lines);

}  // namespace volary
