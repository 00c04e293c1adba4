#!/bin/bash
# stop-swift.sh [--dir DIR] [--port PORT] [--wipe]: ends the processes that start-swift.sh started in DIR; --wipe removes DIR too.
# A pid file can be stale, so only a process that was started with DIR in its words is ended. Nothing to stop is success.
set -euo pipefail
dir='' port=8090 wipe=no
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --wipe) wipe=yes; shift ;;
    *) echo "stop-swift.sh: unknown argument '$1'" >&2; exit 1 ;;
  esac
done
dir=${dir:-/tmp/volary-swift-$port}
[ -d "$dir" ] || exit 0
dir=$(cd "$dir" && pwd)

gone() { ! [ -e "/proc/$1/stat" ] || grep -qs ') [ZX] ' "/proc/$1/stat"; }
ours() { tr '\0' ' ' < "/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$dir/"; }
for name in proxy object container account memcached; do
  file=$dir/run/$name.pid
  [ -s "$file" ] || continue
  pid=$(cat "$file")
  if ! gone "$pid" && ours "$pid"; then
    workers=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
    kill "$pid"  # Its workers end with it.
    for _ in $(seq 150); do gone "$pid" && break; sleep 0.02; done
    gone "$pid" || kill -KILL "$pid"
    for worker in $workers; do
      if ! gone "$worker" && ours "$worker"; then kill -KILL "$worker" 2>/dev/null || true; fi
    done
  fi
  rm -f "$file"
done
if [ $wipe = yes ]; then rm -rf "$dir"; fi
