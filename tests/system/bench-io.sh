# SPDX-License-Identifier: GPL-2.0-only
# Measures a guest's disk and network: a scenario for bench/ to build on.
#   ICOUNT=1 BACKEND=kernel tests/rig/run -t 900 -n LOGNAME \
#       [-i JOBS:/rig/jobs] bench-io [TYPE [DISK]]
# TYPE: pv (default), pvh, hvm. DISK: null (null_blk, default), ram (brd, 256 MB),
# file (a loop file in dom0's memory), or any line in its place: phy:/dev/sdb.
# The job file, one job a line, done in this order, NAME without blanks:
#   config LINE         adds a line to the guest's xl configuration  (before jobs)
#   guestargs ARGS      adds to the guest's kernel command line      (before jobs)
#   fio NAME ARGS       fio in the guest on its disk (/dev/xvda)     -> NAME.json
#   dom0-fio NAME ARGS  the same in dom0, on the disk itself         -> NAME.json
#   iperf NAME ARGS     iperf3 in the guest against dom0's server; guest to dom0,
#                       with -R dom0 to guest                        -> NAME.json
#   ping NAME ARGS      ping of dom0 in the guest                    -> NAME.txt
#   guest NAME SCRIPT   any shell line in the guest                  -> NAME.txt
#   dom0 NAME SCRIPT    any shell line in dom0                       -> NAME.txt
# Without -i, the jobs at the end of this file are done. Results land in
# build/logs/LOGNAME/out/bench/; each job is a check (`ok bench-NAME`).
. /rig/lib.sh
type=${1:-pv}
disk=${2:-null}
results=$OUT/bench
jobs=/rig/jobs
GUEST_IP=10.9.0.2
GUEST_TOOLS=io
job_seconds=600

default_jobs()
{
	cat <<-'END'
		dom0-fio dom0-randread-qd1 --rw=randread --bs=4k --iodepth=1 --number_ios=4000
		fio randread-qd1 --rw=randread --bs=4k --iodepth=1 --number_ios=2000
		fio randread-qd32 --rw=randread --bs=4k --iodepth=32 --number_ios=8000
		fio randwrite-qd32 --rw=randwrite --bs=4k --iodepth=32 --number_ios=8000
		fio read128k-qd8 --rw=read --bs=128k --iodepth=8 --number_ios=1000
		ping ping -c 20 -i 0.05
		iperf guest-to-dom0 -n 64M
		iperf dom0-to-guest -n 64M -R
	END
}

disk_open()
{
	case $disk in
	null) null_disk gb=1; device=/dev/nullb0 spec=phy:$device ;;
	ram) ram_disk 256; device=/dev/ram0 spec=phy:$device ;;
	file)
		device=$RUN/bench.img spec=file:$device
		dd if=/dev/zero of=$device bs=1M count=256 2>/dev/null
		;;
	*) device=${disk#*:} spec=$disk ;;
	esac
}

fio_line()
{
	echo "fio --name=$2 --filename=$1 --direct=1 --ioengine=libaio --size=100% $3"
}

# job KIND NAME REST: prints the result.
job()
{
	case $1 in
	fio) guest_sh bench "$(fio_line /dev/xvda "$2" "$3") --output-format=json" $job_seconds ;;
	dom0-fio) eval "$(fio_line $device "$2" "$3") --output-format=json" ;;
	iperf) guest_sh bench "iperf3 -c $DOM0_IP -J $3" $job_seconds ;;
	ping) guest_sh bench "ping $3 $DOM0_IP" $job_seconds ;;
	guest) guest_sh bench "$3" $job_seconds ;;
	dom0) eval "$3" ;;
	*) echo "unknown kind of job: $1"; return 1 ;;
	esac
}

one_job()
{
	case $1 in
	config | guestargs | '' | '#'*) return ;;
	fio | dom0-fio | iperf) file=$results/$2.json ;;
	*) file=$results/$2.txt ;;
	esac
	if job "$1" "$2" "$3" >$file 2>$file.err; then
		ok "bench-$2"
	else
		fail "bench-$2" "status $?: $(tail -n 2 $file $file.err | tr '\n' ' ')"
	fi
	[ -s $file.err ] || rm $file.err
}

mkdir -p $results
[ -e $jobs ] || default_jobs >$jobs
GUEST_ARGS=$(sed -n 's/^guestargs //p' $jobs | tr '\n' ' ')
bridge_up
disk_open
check backends-start backends_start
check bench-guest guest_create bench $type "disk = [ '$spec,xvda,w' ]" \
	"vif = [ 'bridge=$BRIDGE' ]" "$(sed -n 's/^config //p' $jobs)" || finish
iperf3 -s -D
while read -r kind name rest <&3; do
	one_job "$kind" "$name" "$rest"
done 3<$jobs
guest_shutdown bench
finish
