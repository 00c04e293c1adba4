#!/bin/bash
# stop-podman.sh [--dir DIR] [--wipe]: ends what start-podman.sh started in DIR; --wipe removes DIR and the network namespace
# too. Nothing to stop is success.
set -euo pipefail
dir=/tmp/volary-podman wipe=no netns=volary-podman
. "$(dirname "$0")/engine-parts.sh"
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --wipe) wipe=yes; shift ;;
    *) fail "unknown argument '$1'" ;;
  esac
done
[ -d "$dir" ] || exit 0
if [ -d "$dir/root" ] && [ -e "/run/netns/$netns" ]; then
  CONTAINERS_CONF=$dir/etc/containers.conf inside podman --root "$dir/root" --runroot "$dir/runroot" --tmpdir "$dir/tmp" \
    --storage-driver overlay rm --all --force --time 0 >/dev/null 2>&1 || true
fi
end_processes podman closed open
if [ $wipe = yes ]; then
  awk -v below="$dir/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount; do umount -l "$mount" || true; done
  rm -rf "$dir"
  [ ! -e "/run/netns/$netns" ] || ip netns del "$netns"
fi
