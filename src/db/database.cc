// db/database.cc: who may use which connection when.
//
// One connection writes, under a lock. Reading connections are lent from a stock that grows to as many as read at
// once. A database in memory is one connection for both, under the same lock. A lock file keeps a second process out:
// SQLite before 3.51.3 can corrupt a write-ahead log when two connections checkpoint at once, and that process would
// have the second one.
#include "db/database.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "core/fault.h"
#include "core/file.h"
#include "core/synced.h"
#include "db/migrations.h"
#include "db/sqlite.h"

namespace volary {
namespace {

constexpr size_t idle_readers_max = 16;
constexpr uint64_t pages_a_time = 256;  // A megabyte.
constexpr std::string_view in_memory = ":memory:";

class ReadingTransaction final : public Transaction {
 public:
  explicit ReadingTransaction(SqliteConnection& connection) : connection_(connection) {}

 private:
  int64_t execute(std::string_view sql, const SqlValue* values, size_t count, const VisitRow& visit) override {
    return connection_.execute_reading(sql, values, count, visit);
  }
  SqliteConnection& connection_;
};

class WritingTransaction final : public Transaction {
 public:
  explicit WritingTransaction(SqliteConnection& connection) : connection_(connection) {}
  const std::vector<std::string>& announced() const { return announced_; }

 private:
  int64_t execute(std::string_view sql, const SqlValue* values, size_t count, const VisitRow& visit) override {
    return connection_.execute(sql, values, count, visit);
  }
  SqliteConnection& connection_;
};

// Notes that this thread is inside a transaction of `database`: a second one would wait for the first, for ever.
class Inside {
 public:
  explicit Inside(const void* database) {
    if (std::find(databases.begin(), databases.end(), database) != databases.end())
      throw Error(Errc::internal, "a transaction was begun inside another one of the same thread");
    databases.push_back(database);
  }
  ~Inside() { databases.pop_back(); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  static thread_local std::vector<const void*> databases;
};
thread_local std::vector<const void*> Inside::databases;

class SqliteDatabase final : public Database {
 public:
  // `lock` is nothing for a database in memory.
  SqliteDatabase(const std::string& file, std::optional<FileLock> lock)
      : file_(file), lock_(std::move(lock)), writer_(file, SqliteConnection::Use::write) {
    migrate(writer_, known_migrations(), lock_ ? Backup::keep : Backup::none);
  }

  PageCheck check_pages() override {
    PageCheck result;
    if (!lock_) return result;
    for (bool more = true; more;) {  // Only the writer makes checkpoints, so nothing changes the file meanwhile.
      const std::lock_guard guard(writing_);
      more = writer_.check_pages(result.pages + 1, pages_a_time, result);
    }
    return result;
  }

  void copy_to(const std::string& file) override {
    const Inside inside(this);
    const Fd copy = create_file(file, 0600);  // SQLite writes into an empty file and leaves its mode.
    const std::array<SqlValue, 1> to = {std::string_view(file)};
    if (lock_) {
      Loan loan(idle_readers_, file_);
      (*loan).execute("VACUUM INTO $1", to.data(), to.size(), nullptr);
    } else {
      const std::lock_guard guard(writing_);
      writer_.execute("VACUUM INTO $1", to.data(), to.size(), nullptr);
    }
    sync_file(copy.get(), file);
    sync_directory(Path(file).parent_path());
  }

 private:
  using Readers = std::vector<std::unique_ptr<SqliteConnection>>;

  // A reading connection, given back to the stock at the end.
  class Loan {
   public:
    Loan(Synced<Readers>& idle, const std::string& file) : idle_(idle) {
      if (auto stock = idle.lock(); !stock->empty()) {
        connection_ = std::move(stock->back());
        stock->pop_back();
      }
      if (!connection_) connection_ = std::make_unique<SqliteConnection>(file, SqliteConnection::Use::read);
    }
    ~Loan() {
      auto stock = idle_.lock();
      if (stock->size() < idle_readers_max) stock->push_back(std::move(connection_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    SqliteConnection& operator*() { return *connection_; }

   private:
    Synced<Readers>& idle_;
    std::unique_ptr<SqliteConnection> connection_;
  };

  void transact(Mode mode, const std::function<void(Transaction&)>& work) override {
    const Inside inside(this);
    if (mode == Mode::write) {
      const std::lock_guard guard(writing_);
      write_on(writer_, work);
    } else if (!lock_) {
      const std::lock_guard guard(writing_);
      read_on(writer_, work);
    } else {
      Loan loan(idle_readers_, file_);
      read_on(*loan, work);
    }
  }

  static void read_on(SqliteConnection& connection, const std::function<void(Transaction&)>& work) {
    const RollBack roll_back(connection);
    connection.execute("BEGIN", nullptr, 0, nullptr);
    ReadingTransaction transaction(connection);
    work(transaction);
  }

  void write_on(SqliteConnection& connection, const std::function<void(Transaction&)>& work) {
    if (connection.lost_a_sync())
      throw Error(Errc::unavailable, "the database {} takes no more changes since its disk failed to sync: look at the "
                  "disk, then restart", connection.file());
    fault::point("db.begin");
    const RollBack roll_back(connection);
    connection.execute("BEGIN IMMEDIATE", nullptr, 0, nullptr);
    WritingTransaction transaction(connection);
    work(transaction);
    fault::point("db.commit.before");
    connection.execute("COMMIT", nullptr, 0, nullptr);
    fault::point("db.commit.after");
    announcements_.tell(transaction.announced());
  }

  const std::string file_;
  const std::optional<FileLock> lock_;  // Given up last.
  std::mutex writing_;
  SqliteConnection writer_;  // Closed after the readers: the last one to close makes the last checkpoint.
  Synced<Readers> idle_readers_;
};

// The file with mode 0600, as SQLite will then make its log and index.
void make_private(const Path& file) {
  const auto found = stat_of(file);
  if (!found) {
    create_file(file, 0600);
    sync_directory(file.parent_path());
  } else if (!S_ISREG(found->st_mode)) {
    throw Error(Errc::invalid, "{} is no regular file: it cannot be a database", file.native());
  } else if ((found->st_mode & 07777) != 0600) {
    change_mode(file, 0600);
  }
}

std::unique_ptr<Database> open_file(const Path& file) {
  make_directories(file.parent_path(), 0700);
  std::optional<FileLock> lock = FileLock::try_take(Path(file).concat(".lock"));
  if (!lock)
    throw Error(Errc::conflict, "the database {} is in use: another Volary has opened it", file.native());
  make_private(file);
  auto database = std::make_unique<SqliteDatabase>(file.native(), std::move(lock));
  sync_directory(file.parent_path());  // SQLite does it for its log's name too, but passes over a failure.
  return database;
}

}  // namespace

std::unique_ptr<Database> open_database(const std::string& url) {
  constexpr std::string_view file_scheme = "sqlite://";
  constexpr std::string_view openable = "expected sqlite:///absolute/path or sqlite::memory:";
  if (url == "sqlite::memory:") return std::make_unique<SqliteDatabase>(std::string(in_memory), std::nullopt);
  if (!url.starts_with(file_scheme)) {  // Only the scheme is told: the rest may hold a password.
    const std::string scheme = url.substr(0, url.find(':'));
    const bool postgres = scheme == "postgres" || scheme == "postgresql";
    throw Error(Errc::invalid, "this build cannot open {} databases: {}",
                postgres ? "PostgreSQL" : "'" + scheme + "'", openable);
  }
  const Path file = url.substr(file_scheme.size());
  if (!file.is_absolute() || file.filename().empty())
    throw Error(Errc::invalid, "'{}' names no file for a database: {}", url, openable);
  return during("opening the database " + file.native(), [&] { return open_file(file); });
}

}  // namespace volary
