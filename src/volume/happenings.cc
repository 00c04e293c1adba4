// volume/happenings.cc: the statements of volume/happenings.h.
#include "volume/happenings.h"

namespace volary {
namespace {

constexpr int64_t failure_note_micros = 1'000'000;  // The same failure is written down so often at most.

}  // namespace

void note_happening(Transaction& transaction, const std::string& subject, const Happening& happening) {
  const int64_t number = *transaction.find<int64_t>(
      "SELECT COALESCE(MAX(number), 0) + 1 FROM happening WHERE subject = $1", subject);
  if (number > happenings_max) return;
  transaction.run(
      "INSERT INTO happening (subject, number, cause, since, until, what, other, files, bytes) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      subject, number, happening.cause, happening.since, happening.until, happening.what, happening.other,
      happening.files, happening.bytes);
}

void end_happening(Transaction& transaction, const std::string& subject, Cause cause, Time now) {
  transaction.run("UPDATE happening SET until = $3 WHERE subject = $1 AND cause = $2 AND until IS NULL", subject, cause,
                  now);
}

void end_happenings(Transaction& transaction, const std::string& subject, Time now) {
  transaction.run("UPDATE happening SET until = $2 WHERE subject = $1 AND until IS NULL", subject, now);
}

bool is_news(Transaction& transaction, const std::string& subject, const std::string& in_the_way) {
  const auto last = transaction.find<std::string>(
      "SELECT what FROM happening WHERE subject = $1 AND cause = 'writer' ORDER BY number DESC LIMIT 1", subject);
  return last != in_the_way;
}

void note_in_the_way(Transaction& transaction, const std::string& subject, const std::string& in_the_way, Time now) {
  end_happening(transaction, subject, Cause::writer, now);
  note_happening(transaction, subject, {Cause::writer, now, std::nullopt, in_the_way});
}

void note_failure(Transaction& transaction, const std::string& subject, const std::string& what, Time now) {
  const auto last = transaction.find<Happening>(
      "SELECT cause, since, until, what, other, files, bytes FROM happening WHERE subject = $1 "
      "ORDER BY number DESC LIMIT 1",
      subject);
  if (!last || last->cause != Cause::failure || last->what != what)
    return note_happening(transaction, subject, {Cause::failure, now, now, what});
  if (now.micros - last->until->micros < failure_note_micros) return;
  transaction.run(
      "UPDATE happening SET until = $2 WHERE subject = $1 AND "
      "number = (SELECT MAX(number) FROM happening WHERE subject = $3)",
      subject, now, subject);
}

std::vector<Happening> happenings_of(Transaction& transaction, const std::string& subject) {
  return transaction.all<Happening>(
      "SELECT cause, since, until, what, other, files, bytes FROM happening WHERE subject = $1 ORDER BY number",
      subject);
}

void forget_happenings(Transaction& transaction, const std::string& subject) {
  transaction.run("DELETE FROM happening WHERE subject = $1", subject);
}

}  // namespace volary
