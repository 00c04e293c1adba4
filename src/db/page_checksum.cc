// db/page_checksum.cc: the layer between SQLite and its files; what SQLite calls an operating-system interface (VFS).
//
// SQLite reads and writes the pages of a database file one by one and whole, at multiples of their size. Everything
// else that goes through here is handed on as it is: the first 100 bytes, read alone, tell whether pages have room.
#include "db/page_checksum.h"

#include <sqlite3.h>

#include <array>
#include <cstring>
#include <new>

#include "core/digest.h"
#include "core/error.h"

namespace volary {
namespace {

constexpr int page_bytes_max = 65536;
constexpr int header_bytes = 100;
constexpr size_t reserved_at = 20;  // In the header: how many bytes at the end of a page are free.
constexpr size_t page_bytes_at = 16;
constexpr std::string_view magic{"SQLite format 3\0", 16};

using Checksum = std::array<uint8_t, page_checksum_bytes>;

Checksum checksum_of(const char* page, int bytes, int64_t offset) {
  Hasher hasher;
  hasher.update({page, static_cast<size_t>(bytes - page_checksum_bytes)});
  std::array<char, 8> place;
  for (size_t i = 0; i < place.size(); ++i) place[i] = static_cast<char>(static_cast<uint64_t>(offset) >> (8 * i));
  hasher.update({place.data(), place.size()});
  const Digest digest = hasher.finish();
  Checksum checksum;
  std::memcpy(checksum.data(), digest.bytes().data(), checksum.size());
  if (checksum == Checksum{}) checksum[0] = 1;  // Zeros mean that there is none.
  return checksum;
}

// A database file. SQLite's own object for it lies behind this one, in memory that SQLite provides.
struct CheckedFile {
  sqlite3_file base;
  bool has_checksums;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& methods() { return *real()->pMethods; }
};
static_assert(sizeof(CheckedFile) % alignof(std::max_align_t) == 0, "what lies behind it must be aligned");

CheckedFile& checked(sqlite3_file* file) { return *reinterpret_cast<CheckedFile*>(file); }

bool is_page(int bytes, sqlite3_int64 offset) {
  return bytes >= 512 && bytes <= page_bytes_max && (bytes & (bytes - 1)) == 0 && offset % bytes == 0;
}

// The beginning of the file passes by: does it say that pages have room?
void look_at_header(CheckedFile& file, const char* bytes, int size, sqlite3_int64 offset) {
  if (offset == 0 && size >= header_bytes && std::memcmp(bytes, magic.data(), magic.size()) == 0)
    file.has_checksums = bytes[reserved_at] == page_checksum_bytes;
}

bool is_good(const char* page, int bytes, sqlite3_int64 offset) {
  Checksum found;
  std::memcpy(found.data(), page + bytes - page_checksum_bytes, found.size());
  return found == Checksum{} || found == checksum_of(page, bytes, offset);
}

int read_page(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset) {
  CheckedFile& self = checked(file);
  const int code = self.methods().xRead(self.real(), to, bytes, offset);
  if (code != SQLITE_OK) return code;
  const auto* page = static_cast<const char*>(to);
  look_at_header(self, page, bytes, offset);
  if (!self.has_checksums || !is_page(bytes, offset) || is_good(page, bytes, offset)) return SQLITE_OK;
  sqlite3_log(SQLITE_IOERR_DATA, "page %lld hashes to something else", offset / bytes + 1);
  return SQLITE_IOERR_DATA;
}

int write_page(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  CheckedFile& self = checked(file);
  look_at_header(self, static_cast<const char*>(from), bytes, offset);
  if (!self.has_checksums || !is_page(bytes, offset)) return self.methods().xWrite(self.real(), from, bytes, offset);
  std::array<char, page_bytes_max> page;  // A copy: SQLite goes on using its own.
  std::memcpy(page.data(), from, static_cast<size_t>(bytes));
  const Checksum checksum = checksum_of(page.data(), bytes, offset);
  std::memcpy(page.data() + bytes - page_checksum_bytes, checksum.data(), checksum.size());
  return self.methods().xWrite(self.real(), page.data(), bytes, offset);
}

// Calls the same function of the real file.
template <auto Method, class... Arguments>
auto hand_on(sqlite3_file* file, Arguments... arguments) {
  CheckedFile& self = checked(file);
  return (self.methods().*Method)(self.real(), arguments...);
}

// Version 2: without memory mapping, which would get round the reading above.
constexpr sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = hand_on<&sqlite3_io_methods::xClose>,
    .xRead = read_page,
    .xWrite = write_page,
    .xTruncate = hand_on<&sqlite3_io_methods::xTruncate, sqlite3_int64>,
    .xSync = hand_on<&sqlite3_io_methods::xSync, int>,
    .xFileSize = hand_on<&sqlite3_io_methods::xFileSize, sqlite3_int64*>,
    .xLock = hand_on<&sqlite3_io_methods::xLock, int>,
    .xUnlock = hand_on<&sqlite3_io_methods::xUnlock, int>,
    .xCheckReservedLock = hand_on<&sqlite3_io_methods::xCheckReservedLock, int*>,
    .xFileControl = hand_on<&sqlite3_io_methods::xFileControl, int, void*>,
    .xSectorSize = hand_on<&sqlite3_io_methods::xSectorSize>,
    .xDeviceCharacteristics = hand_on<&sqlite3_io_methods::xDeviceCharacteristics>,
    .xShmMap = hand_on<&sqlite3_io_methods::xShmMap, int, int, int, void volatile**>,
    .xShmLock = hand_on<&sqlite3_io_methods::xShmLock, int, int, int>,
    .xShmBarrier = hand_on<&sqlite3_io_methods::xShmBarrier>,
    .xShmUnmap = hand_on<&sqlite3_io_methods::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

sqlite3_vfs* real_file_system() { return sqlite3_vfs_find(nullptr); }

// Only databases are pages; journals, logs and temporary files are the real file system's alone.
int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  sqlite3_vfs* const real = real_file_system();
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return real->xOpen(real, name, file, flags, flags_out);
  auto* self = new (file) CheckedFile{{nullptr}, false};
  const int code = real->xOpen(real, name, self->real(), flags, flags_out);
  // SQLite closes the file if there are methods, also after a failure.
  if (self->real()->pMethods) self->base.pMethods = &file_methods;
  return code;
}

sqlite3_vfs make_file_system() {
  sqlite3_vfs made = *real_file_system();  // All but opening is the real one's, which looks into its own pAppData.
  made.szOsFile += static_cast<int>(sizeof(CheckedFile));
  made.zName = "volary-checked";
  made.xOpen = open_file;
  return made;
}

[[noreturn]] void fail(sqlite3* connection, const char* what) {
  throw Error(Errc::unavailable, "cannot {}: {}", what, sqlite3_errmsg(connection));
}

sqlite3_file* file_of(sqlite3* connection) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file)
    fail(connection, "look at the database's file");
  return file;
}

int64_t size_of(sqlite3* connection, sqlite3_file* file) {
  sqlite3_int64 size = 0;
  if (file->pMethods->xFileSize(file, &size) != SQLITE_OK) fail(connection, "tell the size of the database's file");
  return size;
}

}  // namespace

const char* checked_file_system() {
  static sqlite3_vfs file_system = [] {
    if (sqlite3_initialize() != SQLITE_OK) throw Error(Errc::internal, "SQLite does not start");
    return make_file_system();
  }();
  static const int code = sqlite3_vfs_register(&file_system, 0);
  if (code != SQLITE_OK) throw Error(Errc::internal, "SQLite takes no file system: {}", sqlite3_errstr(code));
  return file_system.zName;
}

int keep_page_checksums(sqlite3* connection) {
  sqlite3_file* const file = file_of(connection);
  int bytes = page_checksum_bytes;  // Becomes what was there before.
  const int code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
  if (code != SQLITE_OK || bytes == page_checksum_bytes || size_of(connection, file) == 0) return code;
  return sqlite3_exec(connection, "VACUUM", nullptr, nullptr, nullptr);
}

bool check_pages(sqlite3* connection, uint64_t from, uint64_t count, PageCheck& result) {
  sqlite3_file* const file = file_of(connection);
  std::array<char, page_bytes_max> page;
  if (size_of(connection, file) < header_bytes) return false;
  if (file->pMethods->xRead(file, page.data(), header_bytes, 0) != SQLITE_OK) fail(connection, "read the database");
  const int said = static_cast<uint8_t>(page[page_bytes_at]) << 8 | static_cast<uint8_t>(page[page_bytes_at + 1]);
  const int bytes = said == 1 ? page_bytes_max : said;
  if (!is_page(bytes, 0)) {
    result.damaged.push_back(1);
    return false;
  }
  const uint64_t pages = static_cast<uint64_t>(size_of(connection, file)) / static_cast<uint64_t>(bytes);
  for (uint64_t number = from; number < from + count && number <= pages; ++number) {
    const int code = file->pMethods->xRead(file, page.data(), bytes, static_cast<int64_t>(number - 1) * bytes);
    if (code != SQLITE_OK) result.damaged.push_back(number);
    ++result.pages;
  }
  return from + count <= pages;
}

}  // namespace volary
