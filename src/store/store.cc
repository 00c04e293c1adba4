// store/store.cc: opening a store, and reading from it.
//
// The file `format` in the root names the layout, so that a later Volary knows what it finds and an earlier one
// refuses. It is written before anything else. tmp/ belongs to the running process alone and is emptied here.
#include "store/store.h"

#include "core/error.h"
#include "core/tree_path.h"
#include "store/disk_commit.h"
#include "store/layout.h"

namespace volary {
namespace {

constexpr std::string_view format_mark = "volary store 1\n";

class DiskStore final : public Store {
 public:
  explicit DiskStore(const Path& root) : layout_(root) {
    claim_format();
    make_directory(layout_.objects);
    make_directory(layout_.trees);
    make_directory(layout_.images);
    remove_tree(layout_.tmp);
    make_directory(layout_.tmp, 0700);
    const TempFile probe(layout_.tmp, object_mode);
    layout_.modes_are_masked = (stat_of(probe.fd(), probe.path()).st_mode & 0777) != object_mode;
  }

  const Path& root() const override { return layout_.root; }
  Path blob_path(const Digest& blob) const override { return layout_.blob_path(blob); }

  std::optional<uint64_t> blob_size(const Digest& blob) const override {
    const auto status = stat_of(blob_path(blob));
    if (!status) return std::nullopt;
    return static_cast<uint64_t>(status->st_size);
  }

  void read_blob(const Digest& blob, Sink& sink) const override {
    auto fd = try_open_to_read(blob_path(blob));
    if (!fd) throw Error(Errc::not_found, "object {} is not in the store", blob.hex());
    FileSource source(*std::move(fd), blob_path(blob));
    HashingSink hashing(sink);
    pump(source, hashing);
    if (hashing.digest() != blob)
      throw Error(Errc::corrupt, "the bytes of object {} hash to {}", blob.hex(), hashing.digest().hex());
  }

  bool has_tree(const Digest& tree) const override {
    return tree == empty_tree().tree || is_present(layout_.tree_path(tree));
  }

  Tree read_tree(const Digest& tree) const override {
    if (tree == empty_tree().tree) return {};
    const auto bytes = try_read_file(layout_.tree_path(tree), tree_bytes_max);
    if (!bytes) throw Error(Errc::not_found, "tree {} is not in the store", tree.hex());
    if (const Digest found = Digest::of(*bytes); found != tree)
      throw Error(Errc::corrupt, "the bytes of tree {} hash to {}", tree.hex(), found.hex());
    return during("reading tree " + tree.hex(), [&] { return decode(*bytes); });
  }

  std::unique_ptr<Commit> begin_commit() override { return std::make_unique<DiskCommit>(*this, layout_); }

 private:
  void claim_format() {
    make_directories(layout_.root);
    const Path path = layout_.root / "format";
    const auto found = try_read_file(path);
    if (!found) write_file_durably(path, format_mark);
    else if (*found != format_mark)
      throw Error(Errc::invalid, "'{}' is not a store of this version: its file 'format' says '{}', expected '{}'",
                  layout_.root.native(), printable(found->substr(0, 40)), printable(format_mark));
  }

  Layout layout_;
};

}  // namespace

std::unique_ptr<Store> open_store(const Path& root) { return std::make_unique<DiskStore>(root); }

const TreeSummary& empty_tree() {
  static const TreeSummary summary = summary_of(Tree{});
  return summary;
}

}  // namespace volary
