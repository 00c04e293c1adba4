// mount/packer.cc: mount/packer.h.
#include "mount/packer.h"

#include <utility>

#include "core/error_of.h"
#include "core/nice.h"
#include "mount/erofs_image.h"

namespace volary {

Packer::Packer(const Store& store, ImageCache& images, uint64_t bytes_max, MountLog log)
    : store_(store), images_(images), bytes_max_(bytes_max), log_(std::move(log)) {
  if (bytes_max > 0) wishes_.lock()->worker = std::jthread([this] { work(); });
}

Packer::~Packer() {
  std::jthread worker;
  {
    auto wishes = wishes_.lock();
    wishes->is_ending = true;
    worker = std::move(wishes->worker);
  }
  wished_.notify_all();
}

void Packer::want(const Digest& tree) {
  if (bytes_max_ == 0) return;
  auto wishes = wishes_.lock();
  if (wishes->is_ending || !wishes->known.insert(tree).second) return;
  wishes->waiting.push_back(tree);
  wished_.notify_all();
}

void Packer::work() {
  be_nice();
  while (true) {
    Digest tree;
    {
      auto wishes = wishes_.lock();
      wishes.wait(wished_, [&] { return wishes->is_ending || !wishes->waiting.empty(); });
      if (wishes->is_ending) return;
      tree = wishes->waiting.front();
      wishes->waiting.pop_front();
    }
    const auto error = error_of([&] {
      if (!is_worth_it(tree)) return;
      images_.pack(tree, [&] { check_going_on(); });
      wishes_.lock()->known.erase(tree);  // Once the cache has dropped it, it may be wanted again.
    });
    if (error && log_ && !wishes_.lock()->is_ending)
      log_(fmt::format("tree {} was not packed, and is mounted as before: {}", tree.hex(), error->what()));
  }
}

bool Packer::is_worth_it(const Digest& tree) const {
  const TreeSummary all = summary_of(store_.read_tree(tree));
  if (all.files < packed_files_min || all.bytes > all.files * packed_mean_bytes_max) return false;
  const uint64_t most = all.bytes + all.files * packed_bytes_beside;
  return most <= bytes_max_ && most <= free_bytes(store_.root()) / packed_free_share;
}

void Packer::check_going_on() {
  if (wishes_.lock()->is_ending) throw Error(Errc::unavailable, "the image is given up: the server ends");
}

}  // namespace volary
