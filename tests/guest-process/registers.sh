# SPDX-License-Identifier: GPL-2.0-only
# Vector registers stay what they were while dom0 and a guest take turns on the same
# CPUs. Where they do not, memcpy in any process goes wrong now and then, and nothing
# else that the rig shows is worth anything (README.md, "What QEMU gets wrong").
# usage: registers.sh [pv|pvh]      (boot it with registers.host)
. /rig/lib.sh

# twice SECONDS: two at a time, so that the kernel switches between processes as well.
twice()
{
	echo "registers $1 & registers $1; status=\$?; wait \$! && exit \$status"
}

GUEST_VCPUS=2
check guest guest_create g1 ${1:-pv} || finish
guest_sh g1 "$(twice 20)" 100 &
guest=$!
check registers-dom0 sh -c "$(twice 10)"
cat $RUN/check
check registers-guest wait $guest
guest_shutdown g1
finish
