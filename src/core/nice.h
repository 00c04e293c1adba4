// core/nice.h: threads that give way to all others.
#pragma once

namespace volary {

// From now on this thread gets the processor last, and the disk only when nobody else wants it.
void be_nice();

}  // namespace volary
