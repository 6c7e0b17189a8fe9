# SPDX-License-Identifier: GPL-2.0-only
# tests/guest/fuzz against the hypervisor. Arguments: steps, then seeds (how many, from
# which on). A guest of one vcpu and one of two at a time; they may die, dom0 and another
# guest stay well, the audit (Xylem) finds nothing, and in the end no page is missing.
# limit: 7200
. /rig/lib.sh
. /rig/guest-kernels.sh
steps=${1:-5000} seeds=${2:-2} first=${3:-1}

# The guest has come to its end: gone, after its last line or by its own fault.
fuzzed()
{
	kernel_create fuzz$1 fuzz 24 "seed=$1 steps=$steps cpus=$2" 'vcpus = 4' 'cpus = "all"' || return 1
	wait_for $((60 + steps / 100)) guest_gone fuzz$1 && return
	# A vcpu that spins with its events masked is no fault of the hypervisor's.
	echo "fuzz$1 still runs: destroyed"
	xl destroy fuzz$1
}

free_before=$(free_memory)
check witness kernel_create witness hello 16 stay || finish
free_with_witness=$(free_memory)
seed=$first
while [ $seed -lt $((first + seeds)) ]; do
	check fuzz-$seed fuzzed $seed $((1 + seed % 2))
	grep '^vcpu [0-9]*:\|^done' $CONSOLES/guest-fuzz$seed.log
	check witness-$seed kernel_lives witness
	[ "${HV%-debug}" != xylem ] || check audit-$seed audited
	check memory-$seed wait_for 20 free_is "$free_with_witness" || break
	seed=$((seed + 1))
done
xl destroy witness
check memory-back wait_for 20 free_is "$free_before"
finish
