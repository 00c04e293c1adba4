#!/bin/bash
# start-docker.sh: a real Docker engine for tests, with two registries, in a network namespace of its own.
#
#   start-docker.sh [--dir DIR] [--fresh] [--install]
#
# Leaves a running engine alone (--fresh destroys it and its data first). Everything lives below DIR, which is
# /tmp/volary-docker unless told. --install installs the Debian packages. Needs root. The engine has the images
# volary-test/busybox:1 and volary-test/python:1; the registries at 127.0.0.1:5055 and, for 'tester' with 'right password',
# 127.0.0.1:5056 have jobs/busybox:1. Prints KEY=value lines on stdout, to be sourced or given to env; they are also in DIR/env.
# stop-docker.sh ends it.
set -Eeuo pipefail
dir=/tmp/volary-docker fresh=no install=no netns=volary-docker
packages=(docker.io containerd runc tini docker-registry busybox-static iptables iproute2 curl)
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
  echo "start-docker.sh: installing ${packages[*]}" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
for program in dockerd docker docker-registry busybox; do
  command -v $program >/dev/null || fail "$program is not installed: run with --install, or install ${packages[*]}"
done
[ $fresh = no ] || "$here/stop-docker.sh" --dir "$dir" --wipe
mkdir -p "$dir"/{etc,run,log,config}
make_netns
make_rootfs
make_python
start_registry open 5055
start_registry closed 5056 yes

socket=$dir/run/docker.sock
export DOCKER_HOST=unix://$socket DOCKER_CONFIG=$dir/config
if ! alive "$dir/run/docker.pid"; then
  echo '{}' > "$dir/etc/daemon.json"
  rm -f "$dir/run/docker.pid"
  nsenter --net="/run/netns/$netns" setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/run/docker.pid" -H "unix://$socket" \
    --config-file "$dir/etc/daemon.json" --storage-driver overlay2 --bip 172.31.0.1/16 >>"$dir/log/docker.log" 2>&1 </dev/null &
fi
for attempt in $(seq 600); do
  docker version >/dev/null 2>&1 && break
  [ "$attempt" -lt 600 ] || fail "not ready after 60 s; logs are in $dir/log"
  sleep 0.1
done
if [ ! -e "$dir/run/filled" ]; then
  docker import "$dir/busybox.tar" volary-test/busybox:1 >/dev/null
  docker import "$dir/python.tar" volary-test/python:1 >/dev/null
  docker login -u tester --password-stdin 127.0.0.1:5056 <<<'right password' >/dev/null 2>&1
  for registry in 127.0.0.1:5055 127.0.0.1:5056; do
    docker tag volary-test/busybox:1 $registry/jobs/busybox:1
    docker push -q $registry/jobs/busybox:1 >/dev/null
    docker rmi $registry/jobs/busybox:1 >/dev/null
  done
  docker logout 127.0.0.1:5056 >/dev/null 2>&1
  touch "$dir/run/filled"
fi
cat > "$dir/env" <<VARIABLES
VOLARY_TEST_DOCKER=unix://$socket
VOLARY_TEST_DOCKER_NETNS=/run/netns/$netns
VARIABLES
cat "$dir/env"
