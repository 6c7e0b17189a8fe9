# SPDX-License-Identifier: GPL-2.0-only
# A guest of the type given shows what its disk and its network do: fio and
# iperf3 as a person reads them. Needs the hvm part for an HVM guest (PARTS=hvm).
. /rig/lib.sh
type=${1:-pv}
GUEST_IP=10.9.0.2
GUEST_TOOLS=io

bridge_up
null_disk gb=1
check backends-start backends_start
check $type-create guest_create demo $type 'disk = [ "phy:/dev/nullb0,xvda,w" ]' \
	"vif = [ 'bridge=$BRIDGE' ]" || finish
iperf3 -s -D
for rw in randread randwrite; do
	check $type-fio-$rw guest_sh demo "fio --name=$rw --filename=/dev/xvda --direct=1 \
		--ioengine=libaio --rw=$rw --bs=4k --iodepth=32 --runtime=5 --time_based" 120
	grep -E 'IOPS=|clat \(|READ:|WRITE:' $RUN/check
done
for direction in "" -R; do
	check $type-iperf3$direction guest_sh demo "iperf3 -c $DOM0_IP -t 3 -f g $direction" 120
	grep -E 'sender|receiver' $RUN/check
done
guest_shutdown demo
finish
