// record/lineage.h: what a version was made of and what was made of it, as a graph along which data flowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class LineageKind {
  version,
  job,
  source,    // Where an import, a snapshot, an upload or a mount had it from.
  target,    // Where an export put it.
  hidden,    // Something that the caller may not see.
};
BOOST_DESCRIBE_ENUM(LineageKind, version, job, source, target, hidden)

enum class LineageDirection { upstream, downstream, both };
BOOST_DESCRIBE_ENUM(LineageDirection, upstream, downstream, both)

struct LineageNode {
  std::string id;      // Within this answer: of a job its id, of a version "volume@3".
  LineageKind kind{};
  std::string name;    // For people: "digits@3", "train", "store:digits", "not visible to you".
  int64_t step = 0;    // From the version that was asked for: below 0 upstream, above 0 downstream.
  std::string detail;  // What is to be said besides: the commit or listing that was read, a job's state, "deleted".
  std::string project;
  std::string by;      // Whose it is.
  std::optional<Time> at;
  std::string checksum;  // Of a version.
};
BOOST_DESCRIBE_STRUCT(LineageNode, (), (id, kind, name, step, detail, project, by, at, checksum))

struct LineageEdge {
  std::string from;
  std::string to;
  std::string how;  // "read at /in", "wrote", "imported", "cloned", "restored", "on top of", "exported"
};
BOOST_DESCRIBE_STRUCT(LineageEdge, (), (from, to, how))

constexpr uint64_t lineage_depth_default = 20;
constexpr uint64_t lineage_depth_max = 100;
constexpr uint64_t lineage_nodes_max = 500;

// GET /volumes/{volume}/lineage
struct Lineage {
  std::string subject;  // "digits@3"
  LineageDirection direction{};
  std::vector<LineageNode> nodes;  // By step, then as found.
  std::vector<LineageEdge> edges;
  bool is_cut = false;  // There is more than depth or size allow.
};
BOOST_DESCRIBE_STRUCT(Lineage, (), (subject, direction, nodes, edges, is_cut))

}  // namespace volary
