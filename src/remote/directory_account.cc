// remote/directory_account.cc: the directories in a directory as buckets. No link is followed below the root.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"
#include "core/tree_path.h"
#include "remote/account.h"
#include "remote/key.h"

namespace volary {
namespace {

class DirectoryAccount final : public Account {
 public:
  explicit DirectoryAccount(const Path& root)
      : root_(root), directory_(open_directory(root)), objects_(open_directory_remote(root)) {}

  std::vector<Bucket> list_buckets() override {
    std::vector<Bucket> buckets;
    for (const DirectoryEntry& entry : list_directory(root_))
      if (entry.type == DT_DIR) buckets.push_back({entry.name});
    return buckets;
  }

  void create_bucket(const std::string& name) override {
    check_bucket_name(name);
    if (::mkdirat(directory_.get(), name.c_str(), 0755) < 0) {
      if (errno == EEXIST) throw Error(Errc::exists, "there is a bucket '{}' in {} already", printable(name),
                                       description());
      throw error_from_errno(errno, "create", (root_ / name).native());
    }
    sync_file(directory_.get(), root_);
  }

  void remove_bucket(const std::string& name) override {
    require(name);
    if (::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) < 0) {
      if (errno == ENOTEMPTY || errno == EEXIST)
        throw Error(Errc::conflict, "the bucket '{}' in {} is not empty", printable(name), description());
      throw error_from_errno(errno, "remove", (root_ / name).native());
    }
    sync_file(directory_.get(), root_);
  }

  std::unique_ptr<Remote> open(const std::string& bucket) override {
    require(bucket);
    return open_directory_remote(root_ / bucket, Follow::no);
  }

  RemoteObject copy(const ObjectPlace& from, const ObjectPlace& to) override {
    check_key(from.key);
    check_key(to.key);
    require(from.bucket);
    require(to.bucket);
    RemoteObject object = objects_->copy(from.bucket + "/" + from.key, to.bucket + "/" + to.key);
    object.key = to.key;
    return object;
  }

  std::string description() const override { return "directory " + root_.native(); }

 private:
  void require(const std::string& name) const {
    check_bucket_name(name);
    struct stat status {};
    if (::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
      throw Error(Errc::not_found, "there is no bucket '{}' in {}", printable(name), description());
  }

  const Path root_;
  const Fd directory_;
  const std::unique_ptr<Remote> objects_;  // Of all buckets, with the bucket's name before the key.
};

}  // namespace

std::unique_ptr<Account> open_directory_account(const Path& root) { return std::make_unique<DirectoryAccount>(root); }

}  // namespace volary
