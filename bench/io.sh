# SPDX-License-Identifier: GPL-2.0-only
# Disk and network jobs in guests, with the counters of dom0 and guest around
# each. Run by bench/compare and bench/profile through tests/rig/run; results go
# to $OUT/TYPE/JOB/.
# Arguments: types=pv,pvh jobs=randread-4k-qd1,... delay=MS window=MS seconds=N
#   symbols=1 (what a profile needs to be read) args=GUEST_ARGS quick=1
. /rig/lib.sh

types=pv jobs=randread-4k-qd32 delay=800 window=1000 seconds=2 symbols= args=
for argument in "$@"; do
	eval "${argument%%=*}=\${argument#*=}"
done
GUEST_TOOLS=io
GUEST_ARGS=$args
counters="/sys/block/nullb0/stat /sys/class/net/vif*/statistics/[rt]x_[bp]*"

worker_pids()
{
	for worker_pid in $(pidof blkback netback); do
		! grep -q -e --worker /proc/$worker_pid/cmdline || echo $worker_pid
	done
}

# Our daemons' counters, as they are (xylem-stat makes rates of them).
stat_json()
{
	for stat_socket in /run/xylem/*/stat.sock; do
		[ ! -S $stat_socket ] || echo json | timeout 5 socat - UNIX-CONNECT:$stat_socket
	done
}

# job_start G SCRIPT: has it run between two looks at the guest's counters.
job_start()
{
	guest_send $1 "cat /proc/interrupts /proc/stat; echo @@result; $2
		echo; echo @@after; cat /proc/interrupts /proc/stat"
	job_serial=$guest_serial
}

# job_end G DIR SECONDS: waits for the job and files what it printed.
job_end()
{
	guest_wait $1 "@@done $job_serial " $3 || { fail $2 "not done in $3 s"; return 1; }
	sed -n "/^@@begin $job_serial\$/,/^@@done $job_serial /p" $CONSOLES/guest-$1.log |
		tr -d '\r' >$2/guest
	sed '/^@@result$/,$d' $2/guest >$2/guest-before
	sed '1,/^@@after$/d' $2/guest >$2/guest-after
	sed '1,/^@@result$/d;/^@@after$/,$d' $2/guest >$2/result
	rm $2/guest
	grep -q "^@@done $job_serial 0" $CONSOLES/guest-$1.log ||
		fail $2 "$(head -n 3 $2/result | tr '\n' ';')"
}

# job G DIR SCRIPT [DELAY]: a job with a window of dom0's counters in its middle.
job()
{
	mkdir -p $2
	stat_json >$2/stat-before
	job_start $1 "$3"
	/rig/bench-probe ${4:-$delay} $window $counters >$2/probe
	sleep 1 # looking for the job's end costs dom0 something
	job_end $1 $2 120
	stat_json >$2/stat-after
	echo "$2" >>$OUT/windows
}

# fio_job G DIR RW-BS-qdN
fio_job()
{
	fio_rw=${3%%-*} fio_bs=${3#*-} fio_depth=${3##*-qd}
	job $1 $2 "fio --name=job --filename=/dev/xvda --direct=1 --ioengine=libaio \
		--rw=$fio_rw --bs=${fio_bs%-*} --iodepth=$fio_depth --norandommap \
		--time_based --runtime=$seconds --output-format=json --output=/tmp/result
		cat /tmp/result"
}

# net_job G DIR tx|rx|g2g-STREAMS
net_job()
{
	net_to=$DOM0_IP net_flags=
	case $3 in
	rx-*) net_flags=-R ;;
	g2g-*) net_to=10.9.0.3 ;;
	esac
	job $1 $2 "iperf3 -c $net_to -t $((seconds + 1)) -i 0 -P ${3#*-} $net_flags -J"
}

second_guest()
{
	guest_gone g2 2>/dev/null || return 0
	GUEST_IP=10.9.0.3 guest_create g2 $type "vif = [ \"bridge=$BRIDGE\" ]" &&
		guest_sh g2 'iperf3 -s -D'
}

one_job()
{
	job_dir=$OUT/$type/$1
	mkdir -p $job_dir
	echo "$type $1"
	case $1 in
	idle) # a guest that does nothing
		stat_json >$job_dir/stat-before
		/rig/bench-probe 500 3000 $counters >$job_dir/probe
		stat_json >$job_dir/stat-after
		echo "$job_dir" >>$OUT/windows
		;;
	ping)
		job_start g1 "ping -c 50 -i 0.02 $DOM0_IP"
		sleep 2
		job_end g1 $job_dir 60
		;;
	net-g2g-*)
		second_guest >$job_dir/second 2>&1 || { fail $type/$1 "no second guest"; return; }
		net_job g1 $job_dir ${1#net-}
		;;
	net-*) net_job g1 $job_dir ${1#net-} ;;
	*) fio_job g1 $job_dir $1 ;;
	esac
}

# What it takes to name the addresses of a profile.
save_symbols()
{
	for symbols_pid in $(ls /proc | grep '^[1-9]'); do
		[ -n "$(head -n 1 /proc/$symbols_pid/maps 2>/dev/null)" ] || continue
		echo "process $symbols_pid $(tr '\0' ' ' </proc/$symbols_pid/cmdline)"
		cat /proc/$symbols_pid/maps
	done >$OUT/$type/maps
	grep '\[' /proc/kallsyms >$OUT/$type/dom0-modules
	guest_sh g1 "grep '\[xen' /proc/kallsyms" >$OUT/$type/guest-modules
	[ -e $OUT/xensyms ] || cat /proc/xen/xensyms >$OUT/xensyms
}

save_workers()
{
	for one_worker in $(worker_pids); do
		mkdir -p $OUT/$type/worker-$one_worker
		for worker_file in smaps status cmdline; do
			cat /proc/$one_worker/$worker_file >$OUT/$type/worker-$one_worker/$worker_file
		done
	done
}

# A guest has the devices that the jobs want: either kind can be measured alone.
one_type()
{
	disk= vif=
	for one in $(echo $jobs | tr ',' ' '); do
		case $one in
		net-* | ping) vif="vif = [ 'bridge=$BRIDGE' ]" ;;
		idle) vif="vif = [ 'bridge=$BRIDGE' ]" disk="disk = [ 'phy:/dev/nullb0,xvda,w' ]" ;;
		*) disk="disk = [ 'phy:/dev/nullb0,xvda,w' ]" ;;
		esac
	done
	GUEST_IP=10.9.0.2 guest_create g1 $type "$disk" "$vif" ||
		{ fail $type "no guest"; return; }
	mkdir -p $OUT/$type
	guest_sh g1 'tail -n +1 /sys/module/xen_*/parameters/* /sys/devices/system/cpu/vulnerabilities/*
		uname -a; cat /sys/block/xvda/queue/max_sectors_kb' >$OUT/$type/guest-setup
	for one in $(echo $jobs | tr ',' ' '); do
		one_job $one
	done
	save_workers
	[ -z "$symbols" ] || save_symbols
	guest_shutdown g1
	guest_gone g2 2>/dev/null || guest_shutdown g2
}

bridge_up
null_disk
backends_start || fail backends-start
iperf3 -s -D
for type in $(echo $types | tr ',' ' '); do
	one_type
done
tail -n +1 /sys/module/xen_*/parameters/* /sys/devices/system/cpu/vulnerabilities/* \
	/sys/module/null_blk/parameters/* >$OUT/dom0-setup 2>/dev/null
uname -a >>$OUT/dom0-setup
fio --version >>$OUT/dom0-setup
iperf3 --version | head -n 1 >>$OUT/dom0-setup
finish
