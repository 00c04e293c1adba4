// db/sqlite.cc: preparing, binding and stepping. A statement is out of the cache while it runs, so that visits may run
// others.
#include "db/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/fault.h"

#include "db/page_checksum.h"

namespace volary {
namespace {

constexpr int busy_milliseconds = 10'000;      // Only somebody with another program can make us wait.
constexpr size_t idle_statements_max = 512;    // Per connection.
constexpr size_t sql_in_message_bytes = 160;

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  double number(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string_view text(int column) const override {
    // Not sqlite3_column_text, which copies each to put a zero behind it.
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    if (!bytes) return {};
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};  // After the bytes, not before.
  }

 private:
  sqlite3_stmt* statement_;
};

struct Meaning {
  Errc code;
  std::string_view text;
};

Meaning meaning_of(int code) {
  switch (code) {  // The extended codes first.
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return {Errc::exists, "there is such a row already"};
    case SQLITE_CONSTRAINT_FOREIGNKEY: return {Errc::conflict, "a row refers to one that is not there"};
    case SQLITE_IOERR_DATA: return {Errc::corrupt, "a page of the database hashes to something else than it says"};
    case SQLITE_CONSTRAINT_TRIGGER: return {Errc::conflict, "the database refuses this change"};
    default: break;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {Errc::unavailable, "another program holds the database's lock"};
    case SQLITE_FULL: return {Errc::exhausted, "the disk that holds the database is full"};
    case SQLITE_NOMEM: return {Errc::exhausted, "there is no memory left for the database"};
    case SQLITE_TOOBIG: return {Errc::invalid, "a value is too long for the database"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {Errc::corrupt, "the database is damaged"};
    case SQLITE_IOERR: return {Errc::unavailable, "the database's disk fails"};
    case SQLITE_CANTOPEN: return {Errc::unavailable, "the database cannot be opened"};
    case SQLITE_READONLY: return {Errc::unavailable, "the database cannot be written"};
    case SQLITE_PERM:
    case SQLITE_AUTH: return {Errc::denied, "the database's file may not be used"};
    default: return {Errc::internal, "the database refuses a statement"};
  }
}

// unhex(X) of migrations, for SQLite before 3.41: the bytes of hexadecimal digits, NULL for what is none.
void unhex(sqlite3_context* context, int, sqlite3_value** values) {
  const auto* digits = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  const auto size = static_cast<size_t>(sqlite3_value_bytes(values[0]));
  const auto value_of = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string bytes;
  for (size_t i = 0; i + 1 < size; i += 2) {
    const int high = value_of(digits[i]), low = value_of(digits[i + 1]);
    if (high < 0 || low < 0) return sqlite3_result_null(context);
    bytes += static_cast<char>(high << 4 | low);
  }
  if (size % 2 != 0) return sqlite3_result_null(context);
  sqlite3_result_blob64(context, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

// Parameters are no part of the text, so it holds no secret.
std::string shown(std::string_view sql) {
  std::string text;
  for (const char byte : sql.substr(0, sql_in_message_bytes)) text += byte == '\n' ? ' ' : byte;
  return sql.size() > sql_in_message_bytes ? text + "…" : text;
}

}  // namespace

// A statement while it runs; goes back among the idle ones, whatever happens.
class SqliteConnection::Running {
 public:
  Running(SqliteConnection& connection, std::string_view sql, size_t count) : connection_(connection), sql_(sql) {
    if (const auto found = connection.idle_.find(sql); found != connection.idle_.end()) {
      node_ = connection.idle_.extract(found);
      statement_ = std::move(node_.mapped());
      if (statement_.positions.size() == count) return;
    }
    statement_ = connection.prepare(sql, count);
  }
  ~Running() {
    sqlite3_reset(handle());
    sqlite3_clear_bindings(handle());
    if (connection_.idle_.size() >= idle_statements_max) return;
    if (node_) {
      node_.mapped() = std::move(statement_);
      connection_.idle_.insert(std::move(node_));
    } else {
      connection_.idle_.try_emplace(std::string(sql_), std::move(statement_));
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  sqlite3_stmt* handle() const { return statement_.handle.get(); }
  const Statement& statement() const { return statement_; }
  std::string_view sql() const { return sql_; }

 private:
  SqliteConnection& connection_;
  std::string_view sql_;
  Statement statement_;
  decltype(idle_)::node_type node_;  // Kept to put it back without allocating.
};

void SqliteConnection::CloseConnection::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void SqliteConnection::FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteConnection::SqliteConnection(const std::string& file, Use use) : file_(file) {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  const int in_memory = file == ":memory:" ? SQLITE_OPEN_MEMORY : 0;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &opened, flags | in_memory,
                                   in_memory ? nullptr : checked_file_system());
  connection_.reset(opened);
  if (code != SQLITE_OK) fail(code, "");
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, busy_milliseconds);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "text" is a name, as the standard says.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  if (use == Use::write) sqlite3_create_function(opened, "unhex", 1, SQLITE_UTF8, nullptr, unhex, nullptr, nullptr);
  // Of the writer's cache: what a transaction changes beyond it goes to the disk more than once.
  if (use == Use::write) script("PRAGMA cache_size = -16384");
  script("PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON;"
         "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 67108864");
  if (!in_memory && use == Use::write)
    if (const int kept = keep_page_checksums(opened); kept != SQLITE_OK) fail(kept, "VACUUM");
  if (!in_memory) want_journal();
  script(fault::planted("db.no_sync") ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  if (use == Use::read) {
    sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_wal_autocheckpoint(opened, 0);
  }
}

void SqliteConnection::want_journal() {
  std::string mode;
  execute("PRAGMA journal_mode = WAL", nullptr, 0, [&](const Row& row) { mode = row.text(0); });
  if (mode != "wal")
    throw Error(Errc::unavailable, "the database {} cannot have a write-ahead log here (it got '{}'): keep it on a "
                "local disk", file_, mode);
}

int64_t SqliteConnection::execute(std::string_view sql, const SqlValue* values, size_t count,
                                  const std::function<void(const Row&)>& visit) {
  Running running(*this, sql, count);
  return run(running, values, count, visit);
}

int64_t SqliteConnection::execute_reading(std::string_view sql, const SqlValue* values, size_t count,
                                          const std::function<void(const Row&)>& visit) {
  Running running(*this, sql, count);
  if (!sqlite3_stmt_readonly(running.handle()))
    throw Error(Errc::internal, "a reading transaction wants to write: {}", shown(sql));
  return run(running, values, count, visit);
}

int64_t SqliteConnection::run(Running& running, const SqlValue* values, size_t count,
                              const std::function<void(const Row&)>& visit) {
  bind(running.statement(), values, count);
  const SqliteRow row(running.handle());
  for (;;) {  // To the end, even if nobody looks at the rows: INSERT … RETURNING must be finished.
    const int code = sqlite3_step(running.handle());
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) fail(code, running.sql());
    if (visit) visit(row);
  }
  return sqlite3_stmt_readonly(running.handle()) ? 0 : sqlite3_changes64(connection_.get());
}

SqliteConnection::Statement SqliteConnection::prepare(std::string_view sql, size_t count) {
  sqlite3_stmt* handle = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, &rest);
  Statement statement{{handle, {}}, {}};
  if (code != SQLITE_OK) fail(code, sql);
  const std::string_view tail = sql.substr(static_cast<size_t>(rest - sql.data()));
  if (!handle || tail.find_first_not_of(" \t\r\n;") != tail.npos)
    throw Error(Errc::internal, "expected one statement: {}", shown(sql));
  if (sqlite3_bind_parameter_count(handle) != static_cast<int>(count))
    throw Error(Errc::internal, "{} values are given for the {} parameters of: {}", count,
                sqlite3_bind_parameter_count(handle), shown(sql));
  for (size_t i = 1; i <= count; ++i) {
    const int position = sqlite3_bind_parameter_index(handle, ("$" + std::to_string(i)).c_str());
    if (position == 0) throw Error(Errc::internal, "there is no parameter ${} in: {}", i, shown(sql));
    statement.positions.push_back(position);
  }
  return statement;
}

void SqliteConnection::bind(const Statement& statement, const SqlValue* values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    sqlite3_stmt* handle = statement.handle.get();
    const int position = statement.positions[i];
    int code = SQLITE_OK;
    if (const auto* integer = std::get_if<int64_t>(&values[i])) {
      code = sqlite3_bind_int64(handle, position, *integer);
    } else if (const auto* number = std::get_if<double>(&values[i])) {
      code = sqlite3_bind_double(handle, position, *number);
    } else if (const auto* raw = std::get_if<SqlBytes>(&values[i])) {
      const char* bytes = raw->bytes.data() ? raw->bytes.data() : "";
      code = sqlite3_bind_blob64(handle, position, bytes, raw->bytes.size(), SQLITE_STATIC);
    } else if (const auto* text = std::get_if<std::string_view>(&values[i])) {
      const char* bytes = text->data() ? text->data() : "";  // A null pointer would become NULL.
      code = sqlite3_bind_text64(handle, position, bytes, text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(handle, position);
    }
    if (code != SQLITE_OK) fail(code, sqlite3_sql(handle));
  }
}

void SqliteConnection::script(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
}

bool SqliteConnection::check_pages(uint64_t from, uint64_t count, PageCheck& result) {
  return volary::check_pages(connection_.get(), from, count, result);
}

bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

void SqliteConnection::roll_back() noexcept {
  // If this fails too, SQLite has already rolled back by itself, or the connection is as broken as its disk.
  if (in_transaction()) sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteConnection::fail(int code, std::string_view sql) {
  const int extended = connection_ ? sqlite3_extended_errcode(connection_.get()) : code;
  const int found = (extended & 0xff) == (code & 0xff) ? extended : code;
  if (found == SQLITE_IOERR_FSYNC || found == SQLITE_IOERR_DIR_FSYNC) lost_a_sync_ = true;
  const bool is_system = (found & 0xff) == SQLITE_IOERR && found != SQLITE_IOERR_DATA;  // That one is our own.
  const int number = connection_ && is_system ? sqlite3_system_errno(connection_.get()) : 0;
  // Only where a page finds no room does SQLite itself say that the disk is full.
  const Meaning meaning = meaning_of(number == ENOSPC || number == EDQUOT ? SQLITE_FULL : found);
  std::string said = connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code);
  if (number != 0) said += fmt::format(": {}", std::generic_category().message(number));
  if (meaning.code == Errc::internal || meaning.code == Errc::exists || meaning.code == Errc::conflict)
    throw Error(meaning.code, "{}: {} (SQLite {}): {}", meaning.text, said, found, shown(sql));
  throw Error(meaning.code, "{}: {}: {} (SQLite {})", file_, meaning.text, said, found);
}

}  // namespace volary
