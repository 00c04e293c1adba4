// db/sqlite.h: one connection to an SQLite file: statements, their cache, and what SQLite's errors mean to a caller.
//
// Known only inside db/. A connection belongs to one thread at a time; database.cc sees to that.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "db/database.h"

struct sqlite3;
struct sqlite3_stmt;

namespace volary {

class SqliteConnection {
 public:
  enum class Use {
    write,  // Makes checkpoints, so there may be only one of them.
    read,   // Never a checkpoint, not even when it closes.
  };

  // `file` must exist, or be ":memory:". Sets every option that database.h promises.
  SqliteConnection(const std::string& file, Use use);

  // One statement with its parameters; the number of rows it changed. It may run inside a visit of another one, too.
  int64_t execute(std::string_view sql, const SqlValue* values, size_t count,
                  const std::function<void(const Row&)>& visit);
  // The same, for a transaction that only reads: a statement that would write is a bug of the caller.
  int64_t execute_reading(std::string_view sql, const SqlValue* values, size_t count,
                          const std::function<void(const Row&)>& visit);
  // Many statements without parameters.
  void script(const std::string& sql);

  bool in_transaction() const;
  // As db/page_checksum.h.
  bool check_pages(uint64_t from, uint64_t count, PageCheck& result);
  void roll_back() noexcept;
  // Once syncing the file failed, nobody knows what the disk holds of what was written: only opening it anew tells.
  bool lost_a_sync() const { return lost_a_sync_; }
  const std::string& file() const { return file_; }

 private:
  struct CloseConnection {
    void operator()(sqlite3* connection) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Statement {
    std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle;
    std::vector<int> positions;  // Of $1 … $n.
  };
  struct HashText {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  class Running;

  Statement prepare(std::string_view sql, size_t count);
  void bind(const Statement& statement, const SqlValue* values, size_t count);
  int64_t run(Running& running, const SqlValue* values, size_t count, const std::function<void(const Row&)>& visit);
  void want_journal();
  [[noreturn]] void fail(int code, std::string_view sql);

  std::string file_;
  std::unique_ptr<sqlite3, CloseConnection> connection_;
  std::unordered_map<std::string, Statement, HashText, std::equal_to<>> idle_;  // Prepared, and not running now.
  bool lost_a_sync_ = false;
};

// Rolls back what was not committed.
class RollBack {
 public:
  explicit RollBack(SqliteConnection& connection) : connection_(connection) {}
  ~RollBack() { connection_.roll_back(); }
  RollBack(const RollBack&) = delete;
  RollBack& operator=(const RollBack&) = delete;

 private:
  SqliteConnection& connection_;
};

}  // namespace volary
