// cli/sending.h: files of this machine on their way into an upload: many small ones in a request, large ones by parts,
// several requests at a time.
//
// Every byte is hashed when it is read, and the server is told the digest to hold against it. Memory is bounded by the
// workers, each with one request.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/local_files.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "core/synced.h"
#include "record/volume.h"

namespace volary {

enum class FileNeed {
  new_,      // Nothing of that name is there.
  replaces,  // Something else of that name is.
  same,      // The volume's newest version has the same.
  received,  // The upload has it already.
};
BOOST_DESCRIBE_ENUM(FileNeed, new_, replaces, same, received)

// What the server has of the names that are to be sent, by their paths in the volume.
struct KnownFiles {
  std::map<std::string, UploadFile> received;
  std::map<std::string, FileEntry> base;
};

KnownFiles known_files(Client& client, const std::string& volume, uint64_t base, const TreePath& directory,
                       const LocalFiles& files);
void add_received(KnownFiles& known, Client& client, const std::string& upload);
// One for each file. Reads and hashes those that may be there already, on `workers` threads.
std::vector<FileNeed> needs_of(const LocalFiles& files, const TreePath& directory, const KnownFiles& known,
                               size_t workers);

struct Sent {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

// Any thread may count.
class SendingProgress {
 public:
  SendingProgress(const Session& session, const Amounts& amounts)
      : bar_("upload", session.progress()), amounts_(amounts) {}
  void count(uint64_t files, uint64_t bytes);

 private:
  ProgressBar bar_;
  Amounts amounts_;
  std::mutex lock_;
};

class Sending {
 public:
  Sending(Session& session, const Upload& upload, size_t workers)
      : session_(session), client_(session.client()), upload_(upload), workers_(workers) {}

  // Sends those that `needs` says, and forgets what the upload has of other names.
  Sent send(const LocalFiles& files, const std::vector<FileNeed>& needs, const KnownFiles& known);
  // Sends all of a stream as the one file `name`, without knowing how long it is.
  Sent send_stream(const TreePath& name, Source& source);

 private:
  struct Large;
  struct Task;

  static void mark_received(Large& large, const std::vector<ReceivedRange>& ranges);
  std::vector<Task> plan(const LocalFiles& files, const std::vector<FileNeed>& needs, const KnownFiles& known,
                         std::vector<std::unique_ptr<Large>>& large);
  void perform(const Task& task, SendingProgress& progress);
  uint64_t send_batch(const std::vector<const LocalFile*>& files);
  void send_part(Large& large, uint64_t part, SendingProgress& progress);
  void complete(const TreePath& name, uint64_t size, bool executable, const Digest& digest);
  void forget(const std::string& path);
  std::string path_of(std::string_view what) const { return api_path({"uploads", upload_.id, what}); }

  Session& session_;
  Client& client_;
  const Upload upload_;
  const size_t workers_;
};

}  // namespace volary
