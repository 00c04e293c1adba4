// db/database.h: SQL in one dialect, for SQLite today and PostgreSQL when it grows.
//
// A statement's parameters are $1 … $n. Rows become structs by the order of their described members, or values one by
// one.
//
//   database.write([&](Transaction& t) {                    // BEGIN IMMEDIATE … COMMIT, durable on return
//     t.run("UPDATE volume SET head = $2 WHERE id = $1", id, head);
//   });
//   auto row = database.read([&](Transaction& t) { return t.find<Pair>("SELECT a, b FROM x WHERE id = $1", id); });
//
// SQLite: WAL, synchronous=FULL, foreign_keys=ON; one connection writes and checkpoints, any number read. (Two
// connections that checkpoint at once can corrupt a WAL before SQLite 3.51.3; only the writer does here.)
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/announcements.h"

namespace volary {

// Bytes that are no text: the value of a BLOB column, and how it is given; Row::text() reads it.
struct SqlBytes {
  std::string_view bytes;
};

using SqlValue = std::variant<std::monostate, int64_t, double, std::string_view, SqlBytes>;

class Row {
 public:
  virtual bool is_null(int column) const = 0;
  virtual int64_t integer(int column) const = 0;
  virtual double number(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  // Until the next row.

 protected:
  ~Row() = default;
};

namespace db_detail {

struct Bound {  // Keeps texts that were made for a parameter alive until the statement has run.
  std::string kept;
  SqlValue value;
};

template <class T>
void bind(Bound& to, const T& value) {
  using namespace json_detail;
  if constexpr (is_optional<T>::value) {
    if (value) bind(to, *value);
  } else if constexpr (std::is_same_v<T, bool>) {
    to.value = int64_t{value};
  } else if constexpr (std::is_integral_v<T>) {
    to.value = static_cast<int64_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    to.value = static_cast<double>(value);
  } else if constexpr (std::is_same_v<T, Time>) {
    to.value = value.micros;
  } else if constexpr (std::is_same_v<T, SqlBytes>) {
    to.value = value;
  } else if constexpr (std::is_same_v<T, Digest>) {
    to.kept = value.hex();
    to.value = std::string_view(to.kept);
  } else if constexpr (std::is_enum_v<T>) {
    to.value = name_of_value(value);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    to.value = std::string_view(value);
  } else {  // Lists, maps and structs are JSON texts.
    to.kept = print_json(to_json(value));
    to.value = std::string_view(to.kept);
  }
}

template <class T>
void read(const Row& row, int column, T& to) {
  using namespace json_detail;
  if constexpr (is_optional<T>::value) {
    if (row.is_null(column)) to.reset();
    else read(row, column, to.emplace());
  } else if constexpr (std::is_same_v<T, bool>) {
    to = row.integer(column) != 0;
  } else if constexpr (std::is_integral_v<T>) {
    to = static_cast<T>(row.integer(column));
  } else if constexpr (std::is_floating_point_v<T>) {
    to = static_cast<T>(row.number(column));
  } else if constexpr (std::is_same_v<T, Time>) {
    to.micros = row.integer(column);
  } else if constexpr (std::is_same_v<T, Digest>) {
    to = Digest::parse(row.text(column));
  } else if constexpr (std::is_enum_v<T>) {
    to = value_named<T>(row.text(column), "value of a column");
  } else if constexpr (std::is_same_v<T, std::string>) {
    to = std::string(row.text(column));
  } else {
    to = from_json<T>(parse_json(row.text(column), "a column"), "column");
  }
}

template <class T>
void read_record(const Row& row, T& to) {
  if constexpr (boost::describe::has_describe_members<T>::value) {
    int column = 0;
    boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
        [&](auto member) { read(row, column++, to.*member.pointer); });
  } else {
    read(row, 0, to);
  }
}

}  // namespace db_detail

// The statements of one transaction. Used by one thread, inside Database::read or write only.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Runs a statement; the number of rows it changed. A broken UNIQUE constraint throws `exists`, a reference to a row
  // that is not there `conflict`, a full disk `exhausted`, a locked database or a failing disk `unavailable`, a damaged
  // one `corrupt`. All of $1 … $n must occur in the text, for as many values.
  template <class... Args>
  int64_t run(std::string_view sql, const Args&... args) {
    return step(sql, nullptr, args...);
  }
  // All rows, each as a T: a described struct by the order of its members, or the first column.
  template <class T, class... Args>
  std::vector<T> all(std::string_view sql, const Args&... args) {
    std::vector<T> rows;
    step(sql, [&](const Row& row) { db_detail::read_record(row, rows.emplace_back()); }, args...);
    return rows;
  }
  // The first row, or nothing. Works for INSERT … RETURNING too.
  template <class T, class... Args>
  std::optional<T> find(std::string_view sql, const Args&... args) {
    std::optional<T> found;
    step(sql, [&](const Row& row) { if (!found) db_detail::read_record(row, found.emplace()); }, args...);
    return found;
  }
  // Calls visit(const Row&) for each row without keeping any.
  template <class Visit, class... Args>
  void each(std::string_view sql, Visit visit, const Args&... args) {
    step(sql, visit, args...);
  }
  // Tells those who watch `what`, the id of something, when this transaction has been committed.
  void announce(const std::string& what) { announced_.push_back(what); }

 protected:
  using VisitRow = std::function<void(const Row&)>;
  virtual int64_t execute(std::string_view sql, const SqlValue* values, size_t count, const VisitRow& visit) = 0;
  std::vector<std::string> announced_;

 private:
  template <class... Args>
  int64_t step(std::string_view sql, const VisitRow& visit, const Args&... args) {
    db_detail::Bound bound[sizeof...(Args) + 1];
    size_t count = 0;
    (db_detail::bind(bound[count++], args), ...);
    SqlValue values[sizeof...(Args) + 1];
    for (size_t i = 0; i < count; ++i) values[i] = bound[i].value;
    return execute(sql, values, count, visit);
  }
};

struct PageCheck {
  uint64_t pages = 0;
  std::vector<uint64_t> damaged;  // Their numbers, from 1.
};

class Database {
 public:
  virtual ~Database() = default;

  // Reads every page of the database's file and compares its checksum (db/page_checksum.h). Writers wait for some
  // milliseconds at a time. A database in memory has none.
  virtual PageCheck check_pages() = 0;

  // Runs `work` in a transaction that commits when it returns and rolls back when it throws. Writers wait for each
  // other (any thread); inside a transaction, the same thread must not begin another (`internal`). What was committed
  // survives a power cut.
  template <class Work>
  auto write(Work&& work) {
    return in_transaction(Mode::write, std::forward<Work>(work));
  }
  // A consistent snapshot; never waits for a writer (in memory it does). A statement that writes throws `internal`.
  template <class Work>
  auto read(Work&& work) {
    return in_transaction(Mode::read, std::forward<Work>(work));
  }

  // Calls `told` after each commit that announced `what`: see core/announcements.h. It must not use the database.
  [[nodiscard]] Watch watch(const std::string& what, std::function<void()> told) {
    return announcements_.watch(what, std::move(told));
  }

  // Writes a whole, durable copy of what is committed to `file` (mode 0600), which must not be there; meanwhile others
  // go on reading and writing.
  virtual void copy_to(const std::string& file) = 0;

 protected:
  enum class Mode { read, write };
  virtual void transact(Mode mode, const std::function<void(Transaction&)>& work) = 0;
  Announcements announcements_;

 private:
  template <class Work>
  auto in_transaction(Mode mode, Work&& work) {
    using Result = std::invoke_result_t<Work, Transaction&>;
    if constexpr (std::is_void_v<Result>) {
      transact(mode, [&](Transaction& transaction) { work(transaction); });
    } else {
      std::optional<Result> result;
      transact(mode, [&](Transaction& transaction) { result.emplace(work(transaction)); });
      return std::move(*result);
    }
  }
};

// "sqlite:///var/lib/volary/volary.db" (or "sqlite::memory:" for tests); brings the schema up to date, see
// db/migrations.h. Throws `invalid` for another kind of URL, naming what this build can open, and `conflict` if the
// schema is newer than this program or the file is open already, here or in another process.
std::unique_ptr<Database> open_database(const std::string& url);

// The newest schema this program knows.
int64_t schema_version();

}  // namespace volary
