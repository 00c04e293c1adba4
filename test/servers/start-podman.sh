#!/bin/bash
# start-podman.sh: a real podman service for tests, with two registries, in a network namespace of its own.
#
#   start-podman.sh [--dir DIR] [--fresh] [--install]
#
# Leaves a running service alone (--fresh destroys it and its data first). Everything lives below DIR, which is
# /tmp/volary-podman unless told. --install installs the Debian packages. Needs root. The images and the registries are those of
# start-docker.sh, at the same addresses of another network namespace. Prints KEY=value lines on stdout, to be sourced or given to
# env; they are also in DIR/env. stop-podman.sh ends it.
set -Eeuo pipefail
dir=/tmp/volary-podman fresh=no install=no netns=volary-podman
packages=(podman runc conmon catatonit netavark aardvark-dns docker-registry busybox-static iptables iproute2 curl)
. "$(dirname "$0")/engine-parts.sh"
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --fresh) fresh=yes; shift ;;
    --install) install=yes; shift ;;
    *) fail "unknown argument '$1'; see the head of this script" ;;
  esac
done
trap 'fail "line $LINENO: $BASH_COMMAND: status $?; logs are in $dir/log"' ERR
[ "$(id -u)" = 0 ] || fail "needs root"
if [ $install = yes ] && ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  echo "start-podman.sh: installing ${packages[*]}" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
for program in podman runc conmon docker-registry busybox; do
  command -v $program >/dev/null || fail "$program is not installed: run with --install, or install ${packages[*]}"
done
[ $fresh = no ] || "$here/stop-podman.sh" --dir "$dir" --wipe
mkdir -p "$dir"/{etc,run,log,cwd}
make_netns
make_rootfs
make_python
start_registry open 5055
start_registry closed 5056 yes

# Podman would ask for a million open files and more processes than its own service may have; root may not always give them.
files=$(ulimit -Hn)
limits="\"nofile=$files:$files\", \"nproc=20000:20000\""
cat > "$dir/etc/containers.conf" <<C
[containers]
default_ulimits = [$limits]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
C
cat > "$dir/etc/registries.conf" <<C
[[registry]]
location = "127.0.0.1:5055"
insecure = true
[[registry]]
location = "127.0.0.1:5056"
insecure = true
C
export CONTAINERS_CONF=$dir/etc/containers.conf CONTAINERS_REGISTRIES_CONF=$dir/etc/registries.conf
socket=$dir/run/podman.sock
podman=(podman --root "$dir/root" --runroot "$dir/runroot" --tmpdir "$dir/tmp" --storage-driver overlay)
if ! alive "$dir/run/podman.pid"; then
  rm -f "$socket"
  (cd "$dir/cwd"
   exec nsenter --net="/run/netns/$netns" setsid "${podman[@]}" system service --time=0 "unix://$socket" >>"$dir/log/podman.log" 2>&1 </dev/null) &
  echo $! > "$dir/run/podman.pid"
fi
for attempt in $(seq 600); do
  curl -sf -o /dev/null --unix-socket "$socket" http://podman/_ping && break
  [ "$attempt" -lt 600 ] || fail "not ready after 60 s; logs are in $dir/log"
  sleep 0.1
done
if [ ! -e "$dir/run/filled" ]; then
  inside "${podman[@]}" import "$dir/busybox.tar" docker.io/volary-test/busybox:1 >/dev/null 2>&1
  inside "${podman[@]}" import "$dir/python.tar" docker.io/volary-test/python:1 >/dev/null 2>&1
  for registry in 127.0.0.1:5055 127.0.0.1:5056; do
    inside "${podman[@]}" push -q --creds 'tester:right password' docker.io/volary-test/busybox:1 $registry/jobs/busybox:1
  done
  touch "$dir/run/filled"
fi
cat > "$dir/env" <<VARIABLES
VOLARY_TEST_PODMAN=unix://$socket
VOLARY_TEST_PODMAN_NETNS=/run/netns/$netns
VARIABLES
cat "$dir/env"
