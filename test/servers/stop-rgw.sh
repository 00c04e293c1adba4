#!/bin/bash
# stop-rgw.sh [--dir DIR] [--port PORT] [--wipe]: ends the processes that start-rgw.sh started in DIR; --wipe removes DIR too.
# A pid file can be stale, so only a process that was started with DIR/ceph.conf is ended. Nothing to stop is success.
set -euo pipefail
dir='' port=7480 wipe=no
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --wipe) wipe=yes; shift ;;
    *) echo "stop-rgw.sh: unknown argument '$1'" >&2; exit 1 ;;
  esac
done
dir=${dir:-/tmp/volary-rgw-$port}
[ -d "$dir" ] || exit 0
dir=$(cd "$dir" && pwd)

# A zombie counts as gone: its parent may take seconds to reap it.
gone() { ! [ -e "/proc/$1/stat" ] || grep -qs ') [ZX] ' "/proc/$1/stat"; }
for name in client.rgw osd.0 mon.a; do
  file=$dir/run/$name.pid
  [ -s "$file" ] || continue
  pid=$(cat "$file")
  if ! gone "$pid" && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qF -- "-c $dir/ceph.conf "; then
    # radosgw keeps no state and on SIGTERM waits seconds for its timers; a memstore OSD keeps nothing either.
    signal=TERM
    if [ $name = client.rgw ] || [ $wipe = yes ] || grep -qs memstore "$dir/osd/0/type"; then signal=KILL; fi
    kill -$signal "$pid"
    for _ in $(seq 500); do gone "$pid" && break; sleep 0.02; done
    gone "$pid" || kill -KILL "$pid"
  fi
  rm -f "$file"
done
if [ $wipe = yes ]; then rm -rf "$dir"; fi
