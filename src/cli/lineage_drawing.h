// cli/lineage_drawing.h: a lineage as DOT (for Graphviz) and as a drawing of our own.
#pragma once

#include <string>

#include "record/lineage.h"

namespace volary {

std::string dot_of(const Lineage& lineage);

// SVG 1.1: data flows from left to right, a column a layer. Needs no other program and no font in particular.
std::string svg_of(const Lineage& lineage);

}  // namespace volary
