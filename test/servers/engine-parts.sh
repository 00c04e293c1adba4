# engine-parts.sh: what start-docker.sh and start-podman.sh share: a network namespace of their own, an image without any pull,
# and two registries on the loopback of that namespace, one of them with a password. To be sourced; expects $dir and $netns.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
alive() { [ -s "$1" ] && grep -qs ') [^ZX] ' "/proc/$(cat "$1")/stat"; }
inside() { nsenter --net="/run/netns/$netns" "$@"; }

# The engines turn on forwarding and write firewall rules in the namespace they run in: never in the machine's own.
make_netns() {
  [ -e "/run/netns/$netns" ] || ip netns add "$netns"
  inside ip link set lo up
}

# busybox with its commands as links, /tmp, and nothing else.
make_rootfs() {
  [ -s "$dir/busybox.tar" ] && return
  local root=$dir/rootfs
  mkdir -p "$root"/{bin,tmp,etc,proc,sys,dev}
  chmod 1777 "$root/tmp"
  cp /bin/busybox "$root/bin/busybox"
  for one in $(/bin/busybox --list); do [ "$one" = busybox ] || ln -sf busybox "$root/bin/$one"; done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
  tar -C "$root" -cf "$dir/busybox.tar" .
  rm -rf "$root"
}

# The same with this machine's own Python, of which Debian's smallest packages are enough.
make_python() {
  [ -s "$dir/python.tar" ] && return
  local root=$dir/rootfs
  mkdir -p "$root/usr/bin"
  tar -C "$root" -xf "$dir/busybox.tar"
  { dpkg -L python3.11-minimal libpython3.11-minimal | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
    ldd /usr/bin/python3.11 | grep -o '/[^ ]*'; } > "$dir/etc/python-files"
  tar -cf - --dereference --hard-dereference -T "$dir/etc/python-files" 2>/dev/null | tar -C "$root" -xf -
  ln -sf /usr/bin/python3.11 "$root/bin/python3"
  tar -C "$root" -cf "$dir/python.tar" .
  rm -rf "$root"
}

# start_registry NAME PORT [yes: user 'tester', password 'right password']
start_registry() {
  local name=$1 port=$2 auth=${3:-no}
  alive "$dir/run/$name.pid" && return
  { cat <<C
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $dir/registry-$name}, delete: {enabled: true}}
http: {addr: 127.0.0.1:$port}
C
    if [ "$auth" = yes ]; then
      /usr/bin/python3 -W ignore -c 'import crypt; print("tester:" + crypt.crypt("right password", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
        > "$dir/etc/htpasswd"
      echo "auth: {htpasswd: {realm: tests, path: $dir/etc/htpasswd}}"
    fi
  } > "$dir/etc/registry-$name.yml"
  # No function here: the number is to be the registry's, not that of a shell that waits for it.
  nsenter --net="/run/netns/$netns" setsid docker-registry serve "$dir/etc/registry-$name.yml" \
    >>"$dir/log/registry-$name.log" 2>&1 </dev/null &
  echo $! > "$dir/run/$name.pid"
  for attempt in $(seq 300); do
    inside curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/v2/" && return
    sleep 0.1
  done
  fail "the registry '$name' is not ready after 30 s; logs are in $dir/log"
}

# Ends the processes of $dir, newest first; a pid file can be stale, so only what was started with $dir in its words.
gone() { ! [ -e "/proc/$1/stat" ] || grep -qs ') [ZX] ' "/proc/$1/stat"; }
ours() { tr '\0' ' ' < "/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$dir/"; }
end_processes() {
  local file pid
  for name in "$@"; do
    file=$dir/run/$name.pid
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    if ! gone "$pid" && ours "$pid"; then
      kill "$pid"
      for _ in $(seq 500); do gone "$pid" && break; sleep 0.02; done
      gone "$pid" || kill -KILL "$pid"
    fi
    rm -f "$file"
  done
}
