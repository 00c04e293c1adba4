// store/store.cc: opening a store, and reading from it.
//
// The file `format` in the root names the layout, so that a later Volary knows what it finds and an earlier one
// refuses. It is written before anything else. tmp/ belongs to the running process alone and is emptied here. If the
// last process did not close the store, what it may have left torn is looked for before anything else is done.
#include "store/store.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/tree_path.h"
#include "store/disk_commit.h"
#include "store/shelves.h"

namespace volary {
namespace {

constexpr std::string_view format_mark = "volary store 1\n";

void claim_format(const Layout& layout) {
  make_directories(layout.root);
  const Path path = layout.root / "format";
  const auto found = try_read_file(path);
  if (!found) write_file_durably(path, format_mark);
  else if (*found != format_mark)
    throw Error(Errc::invalid, "'{}' is not a store of this version: its file 'format' says '{}', expected '{}'",
                layout.root.native(), printable(found->substr(0, 40)), printable(format_mark));
}

// The layout of the store at `root`, with its directories made and tmp/ empty.
Layout prepare(const Path& root) {
  Layout layout(root);
  claim_format(layout);
  make_directory(layout.objects);
  make_directory(layout.trees);
  make_directory(layout.images);
  remove_tree(layout.tmp);
  make_directory(layout.tmp, 0700);
  return layout;
}

class DiskStore final : public Store {
 public:
  DiskStore(const Path& root, const Clock& clock) : shelves_(prepare(root), clock) {
    if (const auto settled = shelves_.mark.left_behind()) {
      if (!fault::planted("store.no_recovery")) recovery_ = recover(layout(), *settled);
      shelves_.mark.remove();
    }
  }
  ~DiskStore() override { shelves_.close(); }

  const Path& root() const override { return layout().root; }
  Path blob_path(const Digest& blob) const override { return layout().blob_path(blob); }
  Path tree_path(const Digest& tree) const override { return layout().tree_path(tree); }

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
    return tree == empty_tree().tree || is_present(layout().tree_path(tree));
  }

  EncodedTree read_encoded_tree(const Digest& tree) const override {
    if (tree == empty_tree().tree) return {};
    auto bytes = try_read_file(layout().tree_path(tree), tree_bytes_max);
    if (!bytes) throw Error(Errc::not_found, "tree {} is not in the store", tree.hex());
    if (const Digest found = Digest::of(*bytes); found != tree)
      throw Error(Errc::corrupt, "the bytes of tree {} hash to {}", tree.hex(), found.hex());
    auto outcome = EncodedTree::try_parse(*std::move(bytes));
    if (const auto* flaw = std::get_if<std::string>(&outcome))
      throw Error(Errc::corrupt, "the bytes of tree {} are no tree: {}", tree.hex(), *flaw);
    return std::get<EncodedTree>(std::move(outcome));
  }

  std::unique_ptr<Commit> begin_commit() override { return std::make_unique<DiskCommit>(*this, shelves_); }

  std::optional<std::string> read_only_reason() const override { return shelves_.read_only_reason(); }
  Recovery recovery() const override { return recovery_; }

  void each_object(ObjectKind kind, const std::function<void(const StoredObject&)>& visit) const override {
    shelves_.shelf(kind).each(visit);
  }
  Time oldest_commit() const override { return shelves_.mark.oldest_commit(); }
  bool quarantine(ObjectKind kind, const Digest& digest, Time unused_since) override {
    shelves_.refuse_if_read_only();
    return shelves_.shelf(kind).quarantine(digest, unused_since);
  }
  bool bring_back(ObjectKind kind, const Digest& digest) override {
    shelves_.refuse_if_read_only();
    return shelves_.shelf(kind).bring_back(digest);
  }

 private:
  const Layout& layout() const { return shelves_.layout; }

  Shelves shelves_;
  Recovery recovery_;
};

}  // namespace

std::unique_ptr<Store> open_store(const Path& root, const Clock& clock) {
  return std::make_unique<DiskStore>(root, clock);
}

const TreeSummary& empty_tree() {
  static const TreeSummary summary = summary_of(Tree{});
  return summary;
}

}  // namespace volary
