// workload/uploads.cc: the act that sends directories into a volume, as a client does: small files several in a request, a
// large one in parts. Each is merged into the one before. And what must be there of it after whatever happened, before and
// after the client has gone on.
//
//   upload ID        it has begun
//   came ID COUNT    so many files of the round are durable, the first ones by name
//   part ID OFFSET   of the round's large file; it survives the process, and not the machine ("cut" is said of that one)
#include <functional>
#include <set>
#include <sstream>

#include "workload/place.h"

namespace volary {
namespace {

constexpr size_t files_of_a_request = 3;
constexpr size_t files_max = 1000;

// By name, as they are sent.
std::map<std::string, std::string> files_of(const Path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files[entry.path().lexically_relative(directory)] = read_file(entry.path());
  return files;
}

// Sends of one directory what the server does not say has come. `tell`: of each thing that is acknowledged.
class Sending {
 public:
  using Tell = std::function<void(const std::string& line)>;
  Sending(Place& place, std::string id, Tell tell) : place_(place), id_(std::move(id)), tell_(std::move(tell)) {}

  void send(const Path& directory) {
    std::map<std::string, UploadFile> come;
    for (const UploadFile& file : place_.uploads.files(alice, id_, "", files_max)) come[file.path] = file;
    for (const auto& [name, bytes] : files_of(directory)) {
      const auto at = come.find(name);
      if (at != come.end() && at->second.complete) {
        ++count_;
      } else if (bytes.size() <= staged_part_bytes) {
        gather(name, bytes);
      } else {
        flush();
        send_parts(name, bytes, at == come.end() ? std::vector<ReceivedRange>{} : at->second.received);
      }
    }
    flush();
  }

 private:
  void gather(const std::string& name, const std::string& bytes) {
    UploadEntry head;
    head.path = name;
    head.size = bytes.size();
    head.digest = Digest::of(bytes).hex();
    entries_ += print_json(to_json(head)) + "\n" + bytes;
    if (++gathered_ == files_of_a_request) flush();
  }

  void flush() {
    if (gathered_ == 0) return;
    place_.uploads.receive(alice, id_, entries_);
    came(std::exchange(gathered_, 0));
    entries_.clear();
  }

  void send_parts(const std::string& name, const std::string& bytes, const std::vector<ReceivedRange>& come) {
    const auto has_come = [&](size_t offset) {
      return std::any_of(come.begin(), come.end(), [&](const ReceivedRange& one) {
        return one.offset <= offset && offset < one.offset + one.size;
      });
    };
    for (size_t offset = 0; offset < bytes.size(); offset += staged_part_bytes) {
      if (has_come(offset)) continue;
      const std::string_view part = std::string_view(bytes).substr(offset, staged_part_bytes);
      place_.uploads.receive_part(alice, id_, name, offset, bytes.size(), part);
      tell_(fmt::format("part {} {}", id_, offset));
    }
    place_.uploads.complete(alice, id_, {name, bytes.size(), false, Digest::of(bytes).hex()});
    came(1);
  }

  void came(size_t more) {
    count_ += more;
    tell_(fmt::format("came {} {}", id_, count_));
  }

  Place& place_;
  const std::string id_;
  const Tell tell_;
  size_t count_ = 0;
  size_t gathered_ = 0;
  std::string entries_;
};

struct Kept {
  size_t files = 0;
  std::set<uint64_t> parts;
};

std::map<std::string, Kept> kept_of(const std::string& acknowledged) {
  std::map<std::string, Kept> all;
  bool had_power = true;
  std::istringstream lines(acknowledged);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, id;
    uint64_t number = 0;
    words >> kind >> id >> number;
    if (kind == "cut") had_power = false;
    if (kind == "upload") all[id];
    if (kind == "came") all[id].files = number;
    if (kind == "part" && had_power) all[id].parts.insert(number);
  }
  return all;
}

// Of an open upload: that each file the server has is the round's, is in the store, and that none is missing that was
// acknowledged.
void look_at(Place& place, const Path& inputs, const Upload& upload, const Kept& kept, std::vector<std::string>& flaws) {
  const auto sent = files_of(large_input_of(inputs, static_cast<int>(upload.base) + 1));
  std::map<std::string, UploadFile> come;
  for (const UploadFile& file : place.uploads.files(alice, upload.id, "", files_max)) {
    come[file.path] = file;
    if (!file.complete) continue;
    const auto at = sent.find(file.path);
    if (at == sent.end() || Digest::of(at->second).hex() != file.digest)
      flaws.push_back(fmt::format("'{}' of upload {} is not what was sent", file.path, upload.id));
    if (place.store->blob_size(Digest::parse(file.digest)) != file.size)
      flaws.push_back(fmt::format("'{}' of upload {} has come, and its bytes are not in the store", file.path, upload.id));
  }
  size_t number = 0;
  for (const auto& [name, bytes] : sent) {
    const auto at = come.find(name);
    const bool is_complete = at != come.end() && at->second.complete;
    if (number++ < kept.files && !is_complete)
      flaws.push_back(fmt::format("'{}' of upload {} was acknowledged and is gone", name, upload.id));
    if (bytes.size() <= staged_part_bytes || is_complete) continue;
    for (const uint64_t offset : kept.parts)
      if (at == come.end() || std::none_of(at->second.received.begin(), at->second.received.end(), [&](const ReceivedRange& one) {
            return one.offset <= offset && offset < one.offset + one.size;
          }))
        flaws.push_back(fmt::format("the part at {} of upload {} was acknowledged and is gone", offset, upload.id));
  }
}

void finish(Place& place, const Upload& upload, const Path& inputs, const Sending::Tell& tell) {
  Sending(place, upload.id, tell).send(large_input_of(inputs, static_cast<int>(upload.base) + 1));
  place.uploads.finish(alice, upload.id, {});
}

}  // namespace

void perform_upload(const Path& data, const Path& inputs) {
  Place place(data);
  place.uploads.start();
  for (int round = 1; round <= rounds; ++round) {
    NewUpload wanted;
    wanted.message = fmt::format("merged {}", round);
    const Upload upload = place.uploads.create(alice, "v", wanted);
    acknowledge("upload {}", upload.id);
    finish(place, upload, inputs, [](const std::string& line) { acknowledge("{}", line); });
    acknowledge_version(place, "v", static_cast<uint64_t>(round));
  }
}

std::vector<std::string> flaws_of_uploads(Place& place, const Path& inputs, const std::string& acknowledged) {
  std::vector<std::string> flaws;
  for (const auto& [id, kept] : kept_of(acknowledged)) {
    const Upload upload = place.uploads.get(alice, id);
    if (upload.state == UploadState::open) look_at(place, inputs, upload, kept, flaws);
    else if (upload.state != UploadState::finished)
      flaws.push_back(fmt::format("upload {} is {}", id, name_of_value(upload.state)));
  }
  return flaws;
}

void end_uploads(Place& place, const Path& inputs) {
  for (const Upload& upload : place.uploads.list(alice, "")) finish(place, upload, inputs, [](const std::string&) {});
}

}  // namespace volary
