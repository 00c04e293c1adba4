// access/audit.cc: appending to the chain, and walking along it.
#include "access/audit.h"

#include <charconv>

#include "core/digest.h"
#include "core/tree_path.h"

namespace volary {
namespace {

// A record with its tenant, in the order of the table's columns.
struct Link {
  uint64_t number = 0;
  std::string tenant;
  Time at;
  std::string subject;
  std::string action;
  std::string object;
  std::string outcome;
  std::string request;
  std::string hash;  // A text, because it may be anything when somebody has altered it.
};
BOOST_DESCRIBE_STRUCT(Link, (), (number, tenant, at, subject, action, object, outcome, request, hash))

constexpr std::string_view select_links =
    "SELECT number, tenant, at, subject, action, object, outcome, request, hash FROM audit ";

std::string big_endian(uint64_t number) {
  std::string bytes(8, '\0');
  for (size_t i = 8; i-- > 0; number >>= 8) bytes[i] = static_cast<char>(number & 0xff);
  return bytes;
}

Digest hash_of(const Digest& before, const Link& link) {
  std::string bytes(before.raw());
  bytes += big_endian(link.number) + big_endian(static_cast<uint64_t>(link.at.micros));
  for (const std::string* text :
       {&link.tenant, &link.subject, &link.action, &link.object, &link.outcome, &link.request})
    bytes += big_endian(text->size()) + *text;
  return Digest::of(bytes);
}

AuditRecord record_of(const Link& link, const Digest& hash) {
  return {link.number, link.at, link.subject, link.action, link.object, link.outcome, link.request, hash};
}

// Of a record that somebody has spoiled: zero. The chain goes on, and verify_chain() tells where it broke.
Digest hash_in(const std::optional<Link>& link) {
  return link ? Digest::try_parse(link->hash).value_or(Digest()) : Digest();
}

uint64_t number_of_cursor(const std::string& cursor) {
  uint64_t number = 0;
  const auto [end, code] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), number);
  if (code != std::errc() || end != cursor.data() + cursor.size() || number > INT64_MAX)
    throw Error(Errc::invalid, "'{}' is no cursor: expected the nextCursor of a page before", printable(cursor));
  return number;
}

}  // namespace

AuditRecord Audit::append(const AuditEntry& entry) {
  return database_.write([&](Transaction& transaction) { return append(transaction, entry); });
}

AuditRecord Audit::append(Transaction& transaction, const AuditEntry& entry) {
  const auto last = transaction.find<Link>(std::string(select_links) + "ORDER BY number DESC LIMIT 1");
  Link link{last ? last->number + 1 : 1, entry.tenant,  clock_.now(),  entry.subject, entry.action, entry.object,
            entry.outcome,               entry.request, std::string()};
  const Digest hash = hash_of(hash_in(last), link);
  transaction.run("INSERT INTO audit (number, tenant, at, subject, action, object, outcome, request, hash) "
                  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                  link.number, link.tenant, link.at, link.subject, link.action, link.object, link.outcome,
                  link.request, hash);
  return record_of(link, hash);
}

Page<AuditRecord> Audit::list(const std::string& tenant, const std::string& cursor, uint64_t limit) {
  const int64_t below = cursor.empty() ? INT64_MAX : static_cast<int64_t>(number_of_cursor(cursor));
  const auto links = database_.read([&](Transaction& transaction) {
    return transaction.all<Link>(
        std::string(select_links) + "WHERE (tenant = $1 OR tenant = '') AND number < $2 ORDER BY number DESC LIMIT $3",
        tenant, below, limit + 1);
  });
  Page<AuditRecord> page;
  for (const Link& link : links) {
    if (page.items.size() == limit) {  // There is one more than was asked for.
      page.next_cursor = std::to_string(page.items.back().number);
      break;
    }
    page.items.push_back(record_of(link, hash_in(link)));
  }
  return page;
}

AuditVerification Audit::verify_chain(const std::optional<AuditVerification>& known) {
  AuditVerification verified;
  database_.read([&](Transaction& transaction) {
    transaction.each(std::string(select_links) + "ORDER BY number", [&](const Row& row) {
      Link link;
      db_detail::read_record(row, link);
      if (link.number != verified.records + 1)
        throw Error(Errc::corrupt, "the audit has no record {}: the one after {} is {}", verified.records + 1,
                    verified.records, link.number);
      const Digest hash = hash_of(verified.last_hash, link);
      if (link.hash != hash.hex())
        throw Error(Errc::corrupt, "audit record {} was altered, or those before it: its hash is {}, expected {}",
                    link.number, printable(link.hash), hash.hex());
      verified = {link.number, hash};
      if (known && known->records == link.number && known->last_hash != hash)
        throw Error(Errc::corrupt, "audit record {} is another than the one known: its hash is {}, expected {}",
                    link.number, hash.hex(), known->last_hash.hex());
    });
  });
  if (known && known->records > verified.records)
    throw Error(Errc::corrupt, "the audit ends with record {}: expected at least {}", verified.records, known->records);
  return verified;
}

}  // namespace volary
