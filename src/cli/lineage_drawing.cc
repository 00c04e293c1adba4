// cli/lineage_drawing.cc: the layers of a drawing, and both texts.
//
// A layered layout: a node's layer is the longest way to it along the edges (a lineage has no circles: what is made is
// later than what it was made of); an edge that passes a layer has a lane of its own there; within a layer boxes and
// lanes are put near the middle of their neighbours, a few times back and forth; edges at one box are spread along its
// side.
#include "cli/lineage_drawing.h"

#include <algorithm>
#include <map>
#include <vector>

#include "cli/output.h"

namespace volary {
namespace {

constexpr int letter_width_tenths = 73;  // Of a letter of 12 pixels in a monospaced font, at most.
constexpr int lane_height = 6;
constexpr int line_height = 16;
constexpr int padding = 8;
constexpr int layer_gap = 130;   // Room for what is written at edges.
constexpr int row_gap = 22;
constexpr int margin = 20;
constexpr size_t letters_max = 44;
constexpr int sweeps = 6;

std::string shortened(const std::string& text) {
  if (columns_of(text) <= letters_max) return text;
  size_t end = 0;
  for (size_t letters = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++letters == letters_max) break;
  }
  return text.substr(0, end) + "…";
}

// The lines of a node's box.
std::vector<std::string> words_of(const LineageNode& node) {
  std::vector<std::string> words = {shortened(node.name)};
  if (node.kind == LineageKind::job && node.name != node.id) words.push_back(node.id);
  if (!node.detail.empty()) words.push_back(shortened(node.detail));
  if (node.kind == LineageKind::version && !node.checksum.empty()) words.push_back(short_digest(node.checksum));
  if (!node.by.empty()) words.push_back(shortened(node.by + (node.at ? ", " + time_text(*node.at) : "")));
  return words;
}

std::string_view colour_of(LineageKind kind) {
  switch (kind) {
    case LineageKind::version: return "#dbeafe";
    case LineageKind::job: return "#fef3c7";
    case LineageKind::source:
    case LineageKind::target: return "#dcfce7";
    case LineageKind::hidden: break;
  }
  return "#e5e7eb";
}

std::string escaped_xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') escaped += "&lt;";
    else if (c == '>') escaped += "&gt;";
    else if (c == '&') escaped += "&amp;";
    else if (c == '"') escaped += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20) escaped += ' ';
    else escaped += c;
  }
  return escaped;
}

std::string quoted_dot(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + "\"";
}

// A node, or a lane for an edge that passes.
struct Box {
  const LineageNode* node = nullptr;  // Of a lane: none.
  std::vector<std::string> words;
  size_t layer = 0;
  double place = 0;  // Within its layer.
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

struct Link {
  const LineageEdge* edge = nullptr;
  std::vector<size_t> way;  // Of boxes: from, lanes, to.
  int y1 = 0;               // Where it begins and ends.
  int y2 = 0;
};

int middle_of(const Box& box) { return box.y + box.height / 2; }

class Drawing {
 public:
  explicit Drawing(const Lineage& lineage) {
    std::map<std::string, size_t> index;
    for (const LineageNode& node : lineage.nodes) {
      index[node.id] = boxes_.size();
      Box& box = boxes_.emplace_back();
      box.node = &node;
      box.words = words_of(node);
      size_t letters = 0;
      for (const std::string& word : box.words) letters = std::max(letters, columns_of(word));
      box.width = static_cast<int>(letters) * letter_width_tenths / 10 + 2 * padding;
      box.height = static_cast<int>(box.words.size()) * line_height + 2 * padding;
    }
    for (const LineageEdge& edge : lineage.edges)
      links_.push_back({&edge, {index.at(edge.from), index.at(edge.to)}, 0, 0});
    put_into_layers();
    make_lanes();
    for (size_t i = 0; i < boxes_.size(); ++i) {
      if (layers_.size() <= boxes_[i].layer) layers_.resize(boxes_[i].layer + 1);
      layers_[boxes_[i].layer].push_back(i);
    }
    put_in_order();
    put_in_place();
    spread(Side::begin);
    spread(Side::end);
  }

  std::string svg() const {
    std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" "
        "height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"monospace\" font-size=\"12\">\n"
        "<defs><marker id=\"end\" markerWidth=\"9\" markerHeight=\"8\" refX=\"9\" refY=\"4\" orient=\"auto\">"
        "<path d=\"M0,0 L9,4 L0,8 z\" fill=\"#475569\"/></marker></defs>\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
        width_, height_);
    for (const Link& link : links_) text += line_of(link);
    for (const Box& box : boxes_)
      if (box.node) text += text_of(box);
    return text + "</svg>\n";
  }

 private:
  enum class Side { begin, end };

  void put_into_layers() {
    for (size_t round = 0; round < boxes_.size(); ++round) {
      bool moved = false;
      for (const Link& link : links_) {
        const size_t least = boxes_[link.way.front()].layer + 1;
        Box& to = boxes_[link.way.back()];
        if (to.layer >= least) continue;
        to.layer = least;
        moved = true;
      }
      if (!moved) break;
    }
  }

  void make_lanes() {
    for (Link& link : links_)
      for (size_t layer = boxes_[link.way.front()].layer + 1; layer < boxes_[link.way.back()].layer; ++layer) {
        link.way.insert(link.way.end() - 1, boxes_.size());
        Box& lane = boxes_.emplace_back();
        lane.layer = layer;
        lane.height = lane_height;
      }
  }

  void put_in_order() {
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      for (auto& layer : layers_)
        for (size_t i = 0; i < layer.size(); ++i) boxes_[layer[i]].place = static_cast<double>(i);
      for (auto& layer : layers_) {
        std::vector<std::pair<double, size_t>> order;
        for (const size_t box : layer) order.emplace_back(middle_of_neighbours(box, sweep % 2 == 0), box);
        std::sort(order.begin(), order.end());
        for (size_t i = 0; i < layer.size(); ++i) {
          layer[i] = order[i].second;
          boxes_[layer[i]].place = static_cast<double>(i);
        }
      }
    }
  }

  double middle_of_neighbours(size_t box, bool looks_left) const {
    double sum = 0;
    int count = 0;
    for (const Link& link : links_)
      for (size_t i = 0; i + 1 < link.way.size(); ++i) {
        if (link.way[looks_left ? i + 1 : i] != box) continue;
        sum += boxes_[link.way[looks_left ? i : i + 1]].place;
        ++count;
      }
    return count ? sum / count : boxes_[box].place;
  }

  void put_in_place() {
    int x = margin;
    for (const auto& layer : layers_) {
      int height = 0;
      for (const size_t box : layer) height += boxes_[box].height + row_gap;
      height_ = std::max(height_, height - row_gap + 2 * margin);
    }
    for (const auto& layer : layers_) {
      int width = 0;
      int height = -row_gap;
      for (const size_t box : layer) {
        width = std::max(width, boxes_[box].width);
        height += boxes_[box].height + row_gap;
      }
      int y = (height_ - height) / 2;
      for (const size_t one : layer) {
        Box& box = boxes_[one];
        box.width = width;
        box.x = x;
        box.y = y;
        y += box.height + row_gap;
      }
      x += width + layer_gap;
    }
    width_ = std::max(x - layer_gap + margin, 2 * margin);
  }

  // Gives the edges that begin or end at one box places along its side, in the order in which they come or go.
  void spread(Side side) {
    std::map<size_t, std::vector<std::pair<int, Link*>>> at;
    for (Link& link : links_) {
      const size_t box = side == Side::begin ? link.way.front() : link.way.back();
      const size_t next = side == Side::begin ? link.way[1] : link.way[link.way.size() - 2];
      at[box].emplace_back(middle_of(boxes_[next]), &link);
    }
    for (auto& [index, links] : at) {
      std::sort(links.begin(), links.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      const Box& box = boxes_[index];
      for (size_t i = 0; i < links.size(); ++i) {
        const int y = box.y + box.height * static_cast<int>(i + 1) / static_cast<int>(links.size() + 1);
        (side == Side::begin ? links[i].second->y1 : links[i].second->y2) = y;
      }
    }
  }

  std::string line_of(const Link& link) const {
    const Box& from = boxes_[link.way.front()];
    int x = from.x + from.width;
    int y = link.y1;
    std::string path = fmt::format("M{},{}", x, y);
    for (size_t i = 1; i < link.way.size(); ++i) {
      const Box& box = boxes_[link.way[i]];
      const bool is_last = i + 1 == link.way.size();
      const int to = is_last ? link.y2 : middle_of(box);
      const int bend = (box.x - x) / 2;
      path += fmt::format(" C{},{} {},{} {},{}", x + bend, y, box.x - bend, to, box.x, to);
      if (!is_last) path += fmt::format(" L{},{}", box.x + box.width, to);
      x = box.x + box.width;
      y = to;
    }
    const Box& to = boxes_[link.way.back()];
    return fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"#475569\" marker-end=\"url(#end)\"/>\n"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"10\" fill=\"#475569\">{}</text>\n",
        path, to.x - 12, link.y2 - 3, escaped_xml(link.edge->how));
  }

  static std::string text_of(const Box& box) {
    const bool is_round = box.node->kind == LineageKind::job;
    std::string text = fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"{}\" "
        "stroke=\"#475569\"{}/>\n",
        escaped_xml(box.node->id), box.x, box.y, box.width, box.height, is_round ? 12 : 2, colour_of(box.node->kind),
        box.node->step == 0 ? " stroke-width=\"3\"" : "");
    int y = box.y + padding + 12;
    for (size_t i = 0; i < box.words.size(); ++i, y += line_height)
      text += fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>\n", box.x + padding, y,
                          i == 0 ? " font-weight=\"bold\"" : " fill=\"#334155\"", escaped_xml(box.words[i]));
    return text + "</g>\n";
  }

  std::vector<Box> boxes_;
  std::vector<Link> links_;
  std::vector<std::vector<size_t>> layers_;
  int width_ = 0;
  int height_ = 0;
};

}  // namespace

std::string dot_of(const Lineage& lineage) {
  std::string text = "digraph lineage {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=monospace];\n";
  for (const LineageNode& node : lineage.nodes) {
    std::string label;  // "\n" here is DOT's own, between words that are quoted already.
    for (const std::string& word : words_of(node)) {
      const std::string quoted = quoted_dot(word);
      label += (label.empty() ? "" : "\\n") + quoted.substr(1, quoted.size() - 2);
    }
    text += fmt::format("  {} [label=\"{}\", fillcolor=\"{}\"{}];\n", quoted_dot(node.id), label, colour_of(node.kind),
                        node.step == 0 ? ", penwidth=3" : "");
  }
  for (const LineageEdge& edge : lineage.edges)
    text += fmt::format("  {} -> {} [label={}];\n", quoted_dot(edge.from), quoted_dot(edge.to), quoted_dot(edge.how));
  return text + "}\n";
}

std::string svg_of(const Lineage& lineage) { return Drawing(lineage).svg(); }

}  // namespace volary
