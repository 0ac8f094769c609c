# As process 1 of the namespaces, before it is systemd.
set -e
umount /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/systemd/journald.conf.d /run/etc/upper /run/etc/work
# Where a container has no overlays, a copy takes longer.
if ! mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc; then
    cp -a /etc /run/etc/copy
    mount --bind /run/etc/copy /etc
fi
# The log of the machine's kernel is not for us.
mount --bind /dev/null /dev/kmsg

# The units that every unit of the usual kind leans on, and nothing in them.
cd /run/systemd/system
for target in sysinit basic network-online sockets multi-user shutdown; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$target.target"
done
cat >systemd-journald.socket <<END
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/systemd/journal/stdout
ListenDatagram=/run/systemd/journal/socket
PassCredentials=yes
END
cat >systemd-journald.service <<END
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
After=systemd-journald.socket
[Service]
Type=notify
ExecStart=${SYSTEMD}-journald
Sockets=systemd-journald.socket
StandardOutput=null
FileDescriptorStoreMax=100
END
cat >up.target <<END
[Unit]
Description=Up
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
END
# An empty Audit= leaves the kernel's auditing as it is.
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nRateLimitIntervalSec=0\n' >/run/systemd/journald.conf.d/test.conf
cd /

# No unit of the machine.
export SYSTEMD_UNIT_PATH=/run/systemd/system
exec "$SYSTEMD" --system --unit=up.target --log-target=journal-or-kmsg --show-status=no
