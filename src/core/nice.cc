// core/nice.cc: core/nice.h by ioprio_set(2) and setpriority(2), which on Linux are about one thread.
#include "core/nice.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace volary {

void be_nice() {
  constexpr int who_process = 1;       // IOPRIO_WHO_PROCESS; 0 is this thread.
  constexpr int idle_class = 3 << 13;  // IOPRIO_CLASS_IDLE: only when nobody else wants the disk.
  ::syscall(SYS_ioprio_set, who_process, 0, idle_class);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
}

}  // namespace volary
