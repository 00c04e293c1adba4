#!/bin/bash
# start-rgw.sh: a real S3 server for tests: the smallest Ceph object gateway (one monitor, one OSD, one radosgw, no mgr).
#
#   start-rgw.sh [--dir DIR] [--port PORT] [--monitor-port PORT] [--tls-port PORT] [--store memstore|bluestore]
#                [--bytes SIZE] [--fresh] [--install]
#
# Leaves a running server alone (--fresh destroys it and its data first). Everything lives below DIR, which is
# /tmp/volary-rgw-PORT unless told; memstore keeps the objects in memory, about twice their size. --install installs the Debian packages. Prints KEY=value lines on stdout, to
# be sourced or given to env; they are also in DIR/env. Addresses are loopback only. stop-rgw.sh ends it.
# Virtual hosts: the server answers for bucket.s3.test; tests connect to the port and send that name.
set -Eeuo pipefail
dir='' port=7480 monitor_port='' tls_port='' store=memstore bytes=$((8 << 30)) fresh=no install=no
access_key=VOLARYTESTACCESSKEY1 secret_key=volary+test/secret+key+0000000000000001
here=$(cd "$(dirname "$0")" && pwd)
packages=(ceph-mon ceph-osd radosgw ceph-common)

fail() { echo "start-rgw.sh: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    --monitor-port) monitor_port=$2; shift 2 ;;
    --tls-port) tls_port=$2; shift 2 ;;
    --store) store=$2; shift 2 ;;
    --bytes) bytes=$2; shift 2 ;;
    --fresh) fresh=yes; shift ;;
    --install) install=yes; shift ;;
    *) fail "unknown argument '$1'; see the head of this script" ;;
  esac
done
dir=${dir:-/tmp/volary-rgw-$port}
monitor_port=${monitor_port:-$((port < 50000 ? port + 10000 : port - 10000))}
trap 'fail "line $LINENO: $BASH_COMMAND: status $?; logs are in $dir/log"' ERR

if [ $install = yes ] && ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1; then
  echo "start-rgw.sh: installing ${packages[*]}" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
for program in ceph-mon ceph-osd radosgw radosgw-admin monmaptool; do
  command -v $program >/dev/null || fail "$program is not installed: run with --install, or install ${packages[*]}"
done

[ $fresh = no ] || "$here/stop-rgw.sh" --dir "$dir" --wipe
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
exec 9>"$dir/lock"
flock 9   # Two at once: the second finds a running server.

# A zombie is not alive; kill -0 would say it is until its parent reaps it.
alive() { [ -s "$1" ] && grep -qs ') [^ZX] ' "/proc/$(cat "$1")/stat"; }
# memstore forgets everything with its process, so a cluster whose OSD is gone is made anew.
if [ "$store" = memstore ] && [ -e "$dir/ceph.conf" ] && ! alive "$dir/run/osd.0.pid"; then
  "$here/stop-rgw.sh" --dir "$dir"
  rm -rf "${dir:?}"/{ceph.conf,users,mon,osd,run,log,env}
fi
mkdir -p "$dir"/{run,log,mon,osd}
export CEPH_CONF=$dir/ceph.conf
ulimit -n 65536 2>/dev/null || true

tls=''
if [ -n "$tls_port" ]; then
  if [ ! -s "$dir/tls.crt" ]; then
    new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    openssl req -x509 "${new_key[@]}" -days 30 -subj /CN=volary-test-ca -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
    openssl req "${new_key[@]}" -subj /CN=localhost -keyout "$dir/tls.key" -out "$dir/tls.csr" 2>/dev/null
    openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
      -out "$dir/tls.crt" -extfile <(echo "subjectAltName=DNS:localhost,DNS:s3.test,DNS:*.s3.test,IP:127.0.0.1") 2>/dev/null
  fi
  tls=" ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$dir/tls.crt ssl_private_key=$dir/tls.key"
fi

if [ ! -s "$CEPH_CONF" ]; then
  cat > "$CEPH_CONF" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_initial_members = a
mon_host = v1:127.0.0.1:$monitor_port
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
# no cephx: a test cluster on loopback only, and one thing less to set up
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
pid_file = $dir/run/\$name.pid
log_file = $dir/log/\$name.log
crash_dir = $dir/log
log_to_syslog = false
# one replica, one OSD
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
mon_data_avail_warn = 2
ms_bind_ipv6 = false
ms_bind_msgr2 = false
# no debug gathering in memory: it costs CPU even when nothing is written
debug_ms = 0/0
debug_osd = 0/0
debug_rgw = 0/0
debug_rgw_sync = 0/0
debug_bluestore = 0/0
debug_bluefs = 0/0
debug_bdev = 0/0
debug_rocksdb = 0/0
debug_mon = 0/0
debug_paxos = 0/0
debug_objecter = 0/0
debug_monc = 0/0
debug_auth = 0/0

[mon]
mon_data = $dir/mon/\$id
mon_osd_full_ratio = .98
# faster commits of maps: a new cluster makes about ten pools
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_cluster_log_to_file = false

[osd]
osd_data = $dir/osd/\$id
osd_objectstore = $store
# entering itself in the map of a monitor this young now and then fails with "wrong fsid": it is entered below
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_max_scrubs = 0
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 2
memstore_device_bytes = $bytes
memstore_page_set = false
bluestore_block_size = $bytes
osd_memory_target = 1610612736

[client]
rgw_frontends = beast endpoint=127.0.0.1:$port$tls
rgw_dns_name = s3.test
rgw_enable_usage_log = false
rgw_enable_ops_log = false
# deleted data goes soon: the default of two hours fills the memory
rgw_gc_processor_period = 10
rgw_gc_obj_min_wait = 5
rgw_thread_pool_size = 64
rgw_rados_pool_pg_num_min = 8
rgw_run_sync_thread = false
rgw_enable_quota_threads = false
rgw_dynamic_resharding = false
# true would turn SignatureDoesNotMatch and InvalidAccessKeyId into AccessDenied
rgw_s3_auth_use_sts = false
CONF
fi

start_monitor() {
  if [ ! -d "$dir/mon/a/store.db" ]; then
    mkdir -p "$dir/mon/a"
    monmaptool --create --clobber --fsid "$(awk '$1 == "fsid" { print $3 }' "$CEPH_CONF")" \
      --addv a "[v1:127.0.0.1:$monitor_port]" "$dir/monmap" >/dev/null
    ceph-mon -c "$CEPH_CONF" --mkfs -i a --monmap "$dir/monmap" >>"$dir/log/mkfs.log" 2>&1
  fi
  ceph-mon -c "$CEPH_CONF" -i a >>"$dir/log/mon.out" 2>&1 9>&-
}

start_osd() {
  if [ ! -e "$dir/osd/0/entered" ]; then
    local uuid; uuid=$(cat /proc/sys/kernel/random/uuid)
    mkdir -p "$dir/osd/0"
    # One Python process (the one Debian's ceph-common comes with) instead of two "ceph" commands at 0.4 s each.
    /usr/bin/python3 - "$CEPH_CONF" "$uuid" <<'PY'
import json, rados, sys, time
cluster = rados.Rados(conffile=sys.argv[1])
cluster.connect(timeout=30)
for command in ({"prefix": "osd new", "uuid": sys.argv[2], "id": 0},
                {"prefix": "osd crush add", "id": 0, "weight": 1.0, "args": ["host=vm", "root=default"]}):
    for attempt in range(20):
        status, _, error = cluster.mon_command(json.dumps(command), b"")
        if status == 0:
            break
        time.sleep(0.1)
    else:
        sys.exit(f"{command}: {error}")
cluster.shutdown()
PY
    ceph-osd -c "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$uuid" >>"$dir/log/mkfs.log" 2>&1
    touch "$dir/osd/0/entered"
  fi
  ceph-osd -c "$CEPH_CONF" -i 0 >>"$dir/log/osd.out" 2>&1 9>&-
}

alive "$dir/run/mon.a.pid" || start_monitor
alive "$dir/run/osd.0.pid" || start_osd
# radosgw waits for the OSD by itself and makes its pools.
alive "$dir/run/client.rgw.pid" || radosgw -c "$CEPH_CONF" -n client.rgw >>"$dir/log/rgw.out" 2>&1 9>&-
for attempt in $(seq 600); do
  if alive "$dir/run/client.rgw.pid"; then
    curl -s --noproxy '*' -o /dev/null --max-time 2 "http://127.0.0.1:$port/" && break
  elif [ "$attempt" -ge 20 ]; then
    fail "radosgw ended, perhaps because port $port is taken; logs are in $dir/log"
  fi
  [ "$attempt" -lt 600 ] || fail "radosgw does not answer on port $port; logs are in $dir/log"
  sleep 0.1
done
if [ ! -e "$dir/users" ]; then
  radosgw-admin -c "$CEPH_CONF" user create --uid volary --display-name Volary --access-key "$access_key" \
    --secret "$secret_key" >>"$dir/log/admin.out" 2>&1
  touch "$dir/users"
fi

{
  echo "VOLARY_TEST_S3_ENDPOINT=http://127.0.0.1:$port"
  echo "VOLARY_TEST_S3_ACCESS_KEY=$access_key"
  echo "VOLARY_TEST_S3_SECRET_KEY=$secret_key"
  echo "VOLARY_TEST_S3_REGION=us-east-1"
  echo "VOLARY_TEST_S3_VIRTUAL_HOST=s3.test"
  if [ -n "$tls" ]; then
    echo "VOLARY_TEST_S3_TLS_ENDPOINT=https://127.0.0.1:$tls_port"
    echo "VOLARY_TEST_S3_TLS_CA=$dir/ca.crt"
  fi
} | tee "$dir/env"
