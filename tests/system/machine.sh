# SPDX-License-Identifier: GPL-2.0-only
# A machine's devices in dom0, with a vcpu on each of 4 CPUs: a SATA disk by MSI, an NVMe
# disk with a queue a vcpu, a network card by MSI-X and by its interrupt line. (By MSI the
# card of QEMU 7.2 fails Linux's own test of it, on stock Xen as well.)
# limit: 600
# smp: 4
# qemu: -netdev user,id=lan,tftp=TOP/tests/system -device e1000e,netdev=lan -drive if=none,id=nvme,snapshot=on,driver=raw,file.driver=null-co,file.size=64M,file.read-zeroes=on -device nvme,drive=nvme,serial=1
. /rig/lib.sh

# All vcpus at once, the same work: the same result, and none without time.
all_work()
{
	for cpu in 0 1 2 3; do
		taskset -c $cpu sh -c 'head -c 8000000 /dev/zero | sha256sum' >$RUN/sum$cpu &
	done
	wait
	is results "$(sort -u $RUN/sum? | wc -l)" 1 &&
		is vcpus "$(xl vcpu-list 0 | awk '$6 > 0' | grep -c Domain-0)" 4
}

# vcpu_moves N: off, on, and it works.
vcpu_moves()
{
	online=/sys/devices/system/cpu/cpu$1/online
	echo 0 >$online && is off "$(xl vcpu-list 0 | grep -c -- '--p')" 1 &&
		echo 1 >$online && is on "$(taskset -c $1 sh -c 'echo works')" works
}

# verified DEVICE [OPTIONS]: written by fio on all vcpus, read back, compared.
verified()
{
	device=$1
	shift
	fio --name=v --filename=$device --direct=1 --ioengine=libaio --iodepth=8 --numjobs=4 \
		--offset_increment=8m --size=8m --rw=randwrite --bsrange=4k-64k --verify=crc32c \
		--verify_fatal=1 --group_reporting --output-format=terse "$@"
}

both_at_once()
{
	verified "$sata" >$RUN/sata &
	sata_job=$!
	verified /dev/nvme0n1 && wait $sata_job
}

# interrupts PATTERN: how many each line of /proc/interrupts that matches has had in all.
interrupts()
{
	awk -v what="$1" '$0 ~ what { n = 0; for (i = 2; i <= 5; i++) n += $i; print n }' /proc/interrupts
}

# came PATTERN: such an interrupt.
came()
{
	interrupts "$1" | grep -v '^0$' || { cat /proc/interrupts; return 1; }
}

# Each queue's own vector came.
queues_used()
{
	for cpu in 0 1 2 3; do
		taskset -c $cpu dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct 2>/dev/null
	done
	is 'queues with interrupts' "$(interrupts 'nvme0q[1-9]' | grep -cv '^0$')" 4
}

# lan MODE NAME: the network card with MODE's interrupts, which /proc/interrupts names.
lan()
{
	! grep -q '^e1000e ' /proc/modules || rmmod e1000e
	modprobe e1000e IntMode=$1 && wait_for 10 [ -e /sys/class/net/eth0 ] || return 1
	ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
	wait_for 10 grep -q 1 /sys/class/net/eth0/carrier && ping -c 3 -i 0.2 -W 10 10.0.2.2 || return 1
	tftp -g -l /tmp/file -r lib.sh 10.0.2.2 && cmp /tmp/file /rig/lib.sh || return 1
	came "$2.* eth0"
}

check four-cpus is cpus "$(grep -c ^processor /proc/cpuinfo)" 4
check all-work all_work
check hypervisor-says is nr_cpus "$(xl info nr_cpus)" 4
check vcpu-off-and-on vcpu_moves 3
sata=$(rig_disk 0)
check ahci-verify verified "$sata"
check ahci-msi came '-msi .*ahci'
modprobe nvme
check nvme-found wait_for 10 [ -b /dev/nvme0n1 ]
check nvme-verify verified /dev/nvme0n1
check nvme-queues queues_used
check both-at-once both_at_once
check lan-msix lan 2 msi-x
check lan-line lan 0 ioapic-level
check no-complaints sh -c '! dmesg | grep -E "BUG|WARNING|soft lockup|nobody cared|Oops|timeout"'
finish
