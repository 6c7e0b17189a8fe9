# SPDX-License-Identifier: GPL-2.0-only
# The real-time policy: dom0 and guests live under it, and xl sched-rtds says and sets what
# each vcpu may take.
# limit: 600
# hypervisor: sched=rtds
. /rig/lib.sh

# of_vcpu N: its period and budget.
of_vcpu()
{
	xl sched-rtds -d g1 -v $1 | awk '$1 == "g1" {print $4, $5}'
}

whole()
{
	xl sched-rtds -d g1 -v all -p 20000 -b 8000 -e 1 && is 'vcpu 0' "$(of_vcpu 0)" '20000 8000' &&
		is 'vcpu 1' "$(of_vcpu 1)" '20000 8000' && guest_sh g1 true
}

by_vcpu()
{
	xl sched-rtds -d g1 -v 0 -p 30000 -b 9000 -e 1 -v 1 -p 40000 -b 10000 -e 0 &&
		is 'vcpu 0' "$(of_vcpu 0)" '30000 9000' && is 'vcpu 1' "$(of_vcpu 1)" '40000 10000' &&
		guest_sh g1 true
}

refused()
{
	! xl sched-rtds -d g1 -v all -p 10000 -b 20000 -e 0
}

check scheduler is scheduler "$(xl info xen_scheduler)" rtds
check guest eval 'GUEST_MEMORY=192 GUEST_VCPUS=2 guest_create g1 pv' || finish
check all sh -c 'xl sched-rtds | grep Domain-0'
check default is 'vcpu 0' "$(of_vcpu 0)" '10000 4000'
check whole whole
check by-vcpu by_vcpu
check refused refused
check extra xl sched-rtds -d g1 -v all -p 10000 -b 4000 -e 0
check still-runs guest_sh g1 true
check shutdown guest_shutdown g1
finish
