#!/bin/bash
# stop-docker.sh [--dir DIR] [--wipe]: ends what start-docker.sh started in DIR; --wipe removes DIR and the network namespace
# too. Nothing to stop is success.
set -euo pipefail
dir=/tmp/volary-docker wipe=no netns=volary-docker
. "$(dirname "$0")/engine-parts.sh"
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --wipe) wipe=yes; shift ;;
    *) fail "unknown argument '$1'" ;;
  esac
done
[ -d "$dir" ] || exit 0
if alive "$dir/run/docker.pid"; then
  export DOCKER_HOST=unix://$dir/run/docker.sock
  containers=$(docker ps -q 2>/dev/null || true)
  [ -z "$containers" ] || docker kill $containers >/dev/null 2>&1 || true
fi
end_processes docker closed open
if [ $wipe = yes ]; then
  awk -v below="$dir/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount; do umount -l "$mount" || true; done
  rm -rf "$dir"
  [ ! -e "/run/netns/$netns" ] || ip netns del "$netns"
fi
