#!/bin/bash
# Runs mount_test as root on the stock kernel of Debian 12, in qemu without KVM, with its stores on an ext4 disk.
#
#   run-on-debian12.sh PATH/TO/mount_test [GTEST_FILTER]
#
# Needs Debian 12's apt, qemu-system-x86, busybox-static, cpio, e2fsprogs, erofs-utils and bubblewrap; no root.
set -euo pipefail
program=$(realpath "$1")
filter=${2:-*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

package=$(apt-cache depends linux-image-cloud-amd64 | grep -o -m1 'linux-image-6\.1[^ ]*')
apt-get download -qq "$package"
dpkg -x "$package"*.deb kernel
modules=$(echo kernel/lib/modules/*/kernel)

# What the kernel starts: modules, then the disk.
mkdir -p initial/{bin,proc,sys,dev,disk,modules}
for name in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc32c_generic \
            crc32c-intel libcrc32c loop erofs overlay; do
  find "$modules" -name "$name.ko" -exec cp {} initial/modules/ \;
done
cp /bin/busybox initial/bin/
ln -s busybox initial/bin/sh
cat > initial/init <<'END'
#!/bin/sh
export PATH=/bin
for kind in proc sysfs devtmpfs; do
  case $kind in proc) at=/proc ;; sysfs) at=/sys ;; devtmpfs) at=/dev ;; esac
  busybox mount -t $kind $kind $at
done
for pass in 1 2 3 4; do  # Some need others.
  for module in /modules/*.ko; do busybox insmod $module 2>/dev/null; done
done
busybox mount -t ext4 /dev/vda /disk || busybox poweroff -f
for at in /proc /sys /dev; do busybox mount --move $at /disk$at; done
exec busybox switch_root /disk /test
END
chmod +x initial/init
(cd initial && find . | cpio -o -H newc --quiet | gzip -1 > ../initial.gz)

# What the test needs: itself, the programs it starts, their libraries.
mkdir -p disk/{usr/bin,usr/lib,usr/lib64,proc,sys,dev,tmp,var/tmp,etc}
chmod 1777 disk/tmp disk/var/tmp
ln -s usr/bin disk/bin
ln -s usr/bin disk/sbin
ln -s usr/lib disk/lib
ln -s usr/lib64 disk/lib64
cp /bin/busybox disk/usr/bin/
for name in sh cat touch mv ls head grep rm ln mkdir sync seq stat mount; do ln -s busybox disk/usr/bin/$name; done
cp "$program" disk/usr/bin/mount_test
cp /sbin/mke2fs disk/usr/bin/mkfs.ext4
cp /etc/mke2fs.conf disk/etc/
for name in bwrap fsck.erofs dump.erofs; do cp "$(command -v $name)" disk/usr/bin/; done
for name in mount_test mkfs.ext4 bwrap fsck.erofs dump.erofs; do
  ldd disk/usr/bin/$name | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "disk$(dirname "$library")"
    cp -L "$library" "disk$library"
  done
done
echo root:x:0:0::/:/bin/sh > disk/etc/passwd
cat > disk/test <<END
#!/bin/sh
export PATH=/usr/bin RC_PARAMS="max_success=25"
cd /tmp
echo "Kernel \$(busybox uname -r)"
mount_test --gtest_color=no --gtest_filter='$filter'
echo "Ended with \$?"
busybox poweroff -f
END
chmod +x disk/test
truncate -s 3G disk.img
/sbin/mke2fs -q -t ext4 -d disk disk.img

qemu-system-x86_64 -M q35 -accel tcg,thread=multi -smp 2 -cpu max -m 2048 -nographic -no-reboot \
  -kernel kernel/boot/vmlinuz-* -initrd initial.gz -drive file=disk.img,format=raw,if=virtio,cache=unsafe \
  -append "console=ttyS0 quiet panic=-1" < /dev/null | tr -d '\r' | tee log
grep -q '^Ended with 0$' log
