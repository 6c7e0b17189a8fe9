# SPDX-License-Identifier: GPL-2.0-only
# PV guests with as many vcpus as the arguments say, one after the other: each vcpu works,
# some leave and come back by xl and by the guest's own will, and they share a disk.
# limit: 600
. /rig/lib.sh
GUEST_IP=10.9.0.2

# All at once, the same work: the same result on each.
all_work()
{
	guest_sh $guest "cpu=0
		while [ \$cpu -lt $1 ]; do
			taskset -c \$cpu sh -c 'head -c 2000000 /dev/zero | sha256sum' >/tmp/sum\$cpu &
			cpu=\$((cpu + 1))
		done
		wait
		ls /tmp/sum* | wc -l; sort -u /tmp/sum* | wc -l" >$RUN/work
	cat $RUN/work
	[ "$(tr '\n' ' ' <$RUN/work)" = "$1 1 " ] &&
		[ "$(xl vcpu-list $guest | awk '$6 > 0' | grep -c "^$guest ")" = "$1" ]
}

online_is()
{
	[ "$(xl vcpu-list $guest | sed 1d | grep -vc -- '--p')" = "$1" ]
}

# What udev does in a real guest: a vcpu that has come back is put to use.
by_xl()
{
	xl vcpu-set --ignore-host $guest $(($1 / 2)) && wait_for 10 online_is $(($1 / 2)) &&
		xl vcpu-set --ignore-host $guest $1 || return 1
	guest_sh $guest "cd /sys/devices/system/cpu; n=$(($1 / 2))
		while [ \$n -lt $1 ]; do
			until [ -e cpu\$n/online ]; do sleep 0.2; done
			echo 1 >cpu\$n/online; n=\$((n + 1))
		done; nproc" | grep -qx $1 && online_is $1
}

by_itself()
{
	guest_sh $guest "echo 0 >/sys/devices/system/cpu/cpu$(($1 - 1))/online &&
		echo 1 >/sys/devices/system/cpu/cpu$(($1 - 1))/online && nproc" | grep -qx $1
}

# Each vcpu reads and writes a part of the disk of its own.
disk()
{
	guest_sh $guest "fio --name=v --filename=/dev/xvda --direct=1 --ioengine=libaio \
		--iodepth=4 --numjobs=$1 --size=1m --offset_increment=1m --rw=randwrite \
		--bsrange=512-32k --verify=crc32c --verify_fatal=1 --group_reporting \
		--output-format=terse >/tmp/fio || cat /tmp/fio" 120
}

bridge_up
ram_disk 32
check backends-start backends_start
export GUEST_TOOLS=io GUEST_MEMORY=256
for vcpus in "${@:-4}"; do
	guest=v$vcpus
	check $guest-create eval "GUEST_VCPUS=$vcpus guest_create $guest pv \
		'disk = [ \"phy:/dev/ram0,xvda,w\" ]' 'vif = [ \"bridge=$BRIDGE\" ]'" || continue
	check $guest-all-work all_work $vcpus
	check $guest-disk disk $vcpus
	check $guest-ping guest_sh $guest "ping -c 3 -i 0.2 -W 10 $DOM0_IP"
	if [ $vcpus -gt 1 ]; then
		check $guest-off-and-on-by-xl by_xl $vcpus
		check $guest-off-and-on-by-itself by_itself $vcpus
	fi
	check $guest-calm guest_sh $guest '! dmesg | grep -E "BUG|soft lockup|[^n]stall|Oops"'
	check $guest-shutdown guest_shutdown $guest
done
check dom0-calm sh -c '! dmesg | grep -E "BUG|soft lockup|[^n]stall|Oops"'
finish
