// cli/lineage_drawing_test.cc: drawings keep what is drawn apart, and texts cannot leave their places.
#include "cli/lineage_drawing.h"

#include <gtest/gtest.h>

#include <regex>

namespace volary {
namespace {

LineageNode node(const std::string& id, int64_t step = 1) {
  LineageNode one;
  one.id = one.name = id;
  one.step = step;
  return one;
}

std::vector<std::vector<int>> rectangles(const std::string& svg) {
  static const std::regex box("<rect x=\"(\\d+)\" y=\"(\\d+)\" width=\"(\\d+)\" height=\"(\\d+)\" rx");
  std::vector<std::vector<int>> found;
  for (std::sregex_iterator one(svg.begin(), svg.end(), box), end; one != end; ++one)
    found.push_back({std::stoi((*one)[1]), std::stoi((*one)[2]), std::stoi((*one)[3]), std::stoi((*one)[4])});
  return found;
}

TEST(a_drawing, has_no_box_over_another_and_data_flows_to_the_right) {
  Lineage lineage;
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) lineage.nodes.push_back(node(id));
  lineage.edges = {{"a", "b", "1"}, {"b", "c", "2"}, {"a", "c", "3"}, {"a", "d", "4"}, {"d", "f", "5"}, {"e", "f", "6"},
                   {"c", "f", "7"}};
  const auto boxes = rectangles(svg_of(lineage));
  ASSERT_EQ(boxes.size(), 6u);
  for (size_t i = 0; i < boxes.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const bool apart = boxes[i][0] + boxes[i][2] <= boxes[j][0] || boxes[j][0] + boxes[j][2] <= boxes[i][0] ||
                         boxes[i][1] + boxes[i][3] <= boxes[j][1] || boxes[j][1] + boxes[j][3] <= boxes[i][1];
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  for (const LineageEdge& edge : lineage.edges) {
    const auto& from = boxes[static_cast<size_t>(edge.from[0] - 'a')];
    const auto& to = boxes[static_cast<size_t>(edge.to[0] - 'a')];
    EXPECT_LT(from[0] + from[2], to[0]) << edge.how;
  }
}

TEST(a_drawing, has_texts_as_they_are_whatever_they_hold) {
  Lineage lineage;
  lineage.nodes = {node("<a>&\"\\\n", 0), node("b")};
  lineage.edges = {{"<a>&\"\\\n", "b", "read at /<in>"}};
  const std::string svg = svg_of(lineage);
  EXPECT_NE(svg.find("&lt;a&gt;&amp;&quot;\\ "), svg.npos);
  EXPECT_NE(svg.find("read at /&lt;in&gt;"), svg.npos);
  EXPECT_EQ(svg.find("<a>"), svg.npos);
  EXPECT_NE(dot_of(lineage).find("\"<a>&\\\"\\\\ \" -> \"b\" [label=\"read at /<in>\"];\n"), std::string::npos);
}

TEST(a_drawing, of_one_version_is_that_version) {
  Lineage lineage;
  lineage.nodes = {node("a@1", 0)};
  EXPECT_EQ(rectangles(svg_of(lineage)).size(), 1u);
}

}  // namespace
}  // namespace volary
