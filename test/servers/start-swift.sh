#!/bin/bash
# start-swift.sh: a real OpenStack Swift for tests, with TempAuth and its S3 middleware: one proxy, one server of each kind,
# one replica, no auditors.
#
#   start-swift.sh [--dir DIR] [--port PORT] [--fresh] [--install]
#
# Leaves a running server alone (--fresh destroys it and its data first). Everything lives below DIR, which is
# /tmp/volary-swift-PORT unless told; its file system needs extended attributes. PORT + 1 to PORT + 4 are used too. --install
# installs the Debian packages. Prints KEY=value lines on stdout, to be sourced or given to env; they are also in DIR/env.
# Addresses are loopback only. stop-swift.sh ends it.
set -Eeuo pipefail
dir='' port=8090 fresh=no install=no
here=$(cd "$(dirname "$0")" && pwd)
packages=(swift-proxy swift-account swift-container swift-object memcached)

fail() { echo "start-swift.sh: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --fresh) fresh=yes; shift ;;
    --install) install=yes; shift ;;
    *) fail "unknown argument '$1'; see the head of this script" ;;
  esac
done
dir=${dir:-/tmp/volary-swift-$port}
trap 'fail "line $LINENO: $BASH_COMMAND: status $?; logs are in $dir/log"' ERR

if [ $install = yes ] && ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  echo "start-swift.sh: installing ${packages[*]}" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
for program in swift-proxy-server swift-account-server swift-container-server swift-object-server memcached; do
  command -v $program >/dev/null || fail "$program is not installed: run with --install, or install ${packages[*]}"
done
[ $fresh = no ] || "$here/stop-swift.sh" --dir "$dir" --wipe
mkdir -p "$dir"/{etc,run,log,data/sdb1}
dir=$(cd "$dir" && pwd)
object=$((port + 1)) container=$((port + 2)) account=$((port + 3)) cache=$((port + 4))
alive() { [ -s "$1" ] && grep -qs ') [^ZX] ' "/proc/$(cat "$1")/stat"; }

cat > "$dir/etc/swift.conf" <<C
[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
[storage-policy:0]
name = Policy-0
default = yes
C
common() { cat <<C
[DEFAULT]
swift_dir = $dir/etc
devices = $dir/data
mount_check = false
bind_ip = 127.0.0.1
user = $(id -un)
disable_fallocate = true
log_level = ERROR
log_address = $dir/log/none
log_udp_host =
C
}
{ common; cat <<C
bind_port = $port
workers = 2
expose_info = true
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth copy slo dlo symlink proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:s3api]
use = egg:swift#s3api
s3_acl = true
location = us-east-1
max_upload_part_num = 10000
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
C
} > "$dir/etc/proxy-server.conf"
for kind in object container account; do
  { common; cat <<C
bind_port = ${!kind}
workers = 1
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
C
  } > "$dir/etc/$kind-server.conf"
done
# The three rings in one process: swift-ring-builder would take nine starts of Python.
[ -s "$dir/etc/account.ring.gz" ] || /usr/bin/python3 - "$dir/etc" object $object container $container account $account <<'PY'
import sys
from swift.common.ring import RingBuilder
etc = sys.argv[1]
for name, port in zip(sys.argv[2::2], sys.argv[3::2]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'replication_ip': '127.0.0.1',
                  'replication_port': int(port), 'device': 'sdb1', 'weight': 1, 'meta': ''})
    ring.rebalance()
    ring.get_ring().save('%s/%s.ring.gz' % (etc, name))
PY
alive "$dir/run/memcached.pid" || memcached -d -u "$(id -un)" -l 127.0.0.1 -p $cache -m 64 -P "$dir/run/memcached.pid"
for kind in object container account proxy; do
  alive "$dir/run/$kind.pid" && continue
  setsid swift-$kind-server "$dir/etc/$kind-server.conf" >>"$dir/log/$kind.out" 2>&1 </dev/null &
  echo $! > "$dir/run/$kind.pid"
done
ready() {
  [ "$(curl -s --max-time 2 "http://127.0.0.1:$port/healthcheck")" = OK ] || return 1
  for one in $object $container $account; do
    curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$one/recon/version" || return 1
  done
  # The account is made by its first request.
  curl -sf -o /dev/null -H 'X-Storage-User: test:tester' -H 'X-Storage-Pass: testing' "http://127.0.0.1:$port/auth/v1.0"
}
for attempt in $(seq 300); do
  ready && break
  [ "$attempt" -lt 300 ] || fail "not ready after 30 s; logs are in $dir/log"
  sleep 0.1
done
cat > "$dir/env" <<VARIABLES
VOLARY_TEST_SWIFT_AUTH=http://127.0.0.1:$port/auth/v1.0
VOLARY_TEST_SWIFT_USER=test:tester
VOLARY_TEST_SWIFT_KEY=testing
VOLARY_TEST_SWIFT_S3_ENDPOINT=http://127.0.0.1:$port
VARIABLES
cat "$dir/env"
