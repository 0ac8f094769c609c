# In a mount namespace of its own: the one hierarchy of cgroups, and in it a group that becomes the root of what systemd sees.
set -e
umount -R /sys/fs/cgroup || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# What a test left that was killed. A group in use cannot be removed.
for old in /sys/fs/cgroup/sitebus-*; do
    owner=${old##*/sitebus-}
    [ -d "$old" ] && [ ! -d "/proc/${owner%-*}" ] && find "$old" -depth -type d -exec rmdir {} + || true
done 2>/dev/null

mkdir "/sys/fs/cgroup/$GROUP"
echo $$ >"/sys/fs/cgroup/$GROUP/cgroup.procs"
exec unshare --pid --fork --kill-child --mount --propagation private --uts --ipc --cgroup sh -c "$INSIDE"
