# SPDX-License-Identifier: GPL-2.0-only
# A PV guest's life by stock xl, one thing after another; in the end nothing is left.
# (tools.sh, save.sh and hotplug.sh do the rest of what xl can.)
# Runs on either hypervisor (HV=); control_probe's answers are left in out/answers when
# the program is there (-i).
# limit: 900
. /rig/lib.sh
GUEST_IP=10.9.0.2

# field NAME COLUMN: of xl list
field()
{
	xl list "$1" 2>/dev/null | sed 1d | awk "{print \$$2}"
}

mem_is()
{
	[ "$(field g1 3)" = "$1" ]
}

vcpus_online()
{
	[ "$(xl vcpu-list g1 | sed 1d | grep -vc -- '--p')" = "$1" ]
}

state_has()
{
	field g1 5 | grep -q "$1"
}

pinned()
{
	xl vcpu-pin g1 0 1 0 && is 'hard and soft' "$(xl vcpu-list g1 | awk '$3 == "0" {print $7, $9}')" '1 0' &&
		xl vcpu-pin g1 0 all all
}

weighted()
{
	xl sched-credit2 -d g1 -w 512 -c 50 &&
		is weight "$(xl sched-credit2 -d g1 | awk '$1 == "g1" {print $3, $4}')" '512 50' &&
		xl sched-credit2 -d g1 -c 0
}

pools()
{
	xl cpupool-cpu-remove Pool-0 1 && xl cpupool-create 'name="p"' 'cpus=["1"]' >/dev/null &&
		xl cpupool-rename p q && xl cpupool-migrate g1 q &&
		is CPUs "$(xl vcpu-list g1 | awk 'NR > 1 {print $4}' | grep -v - | sort -u)" 1 &&
		guest_sh g1 true && ! xl cpupool-destroy q 2>/dev/null &&
		xl cpupool-migrate g1 Pool-0 && xl cpupool-destroy q &&
		xl cpupool-cpu-add Pool-0 1 && is all "$(xl cpupool-list -c | awk '/^Pool-0/ {print $2}')" 0,1
}

# The guest answers to what is typed; xl wants a terminal for that.
console()
{
	(sleep 2; echo "999 $(echo 'echo "by $((40 + 2))"' | base64)"; sleep 8) |
		timeout 30 socat - EXEC:'xl console g1',pty,raw,echo=0 | grep 'by 42'
}

# It comes back as another domain, which xl's daemon builds.
rebooted()
{
	before=$(xl domid g1)
	xl reboot g1 || return 1
	wait_for 60 sh -c "[ \$(grep -c '^@@ready' $CONSOLES/guest-g1.log) = 2 ]" || return 1
	[ "$(xl domid g1)" != "$before" ] && guest_sh g1 true
}

# libxl adds 1 MiB.
max_is()
{
	xl mem-max g1 $1 && is maximum "$(xentop -b -i 1 | awk '$1 == "g1" {print $7}')" $((($1 + 1) * 1024))
}

free_is()
{
	[ "$(free_memory)" = "$1" ]
}

free_before=$(free_memory)
held >$RUN/held.before
guest_config g1 pv >$RUN/g1.cfg
sed -i 's/^vcpus = .*/vcpus = 2/; s/^memory = .*/memory = 256/
	s/^on_reboot = .*/on_reboot = "restart"/' $RUN/g1.cfg

check info xl info -n
check create xl create -p $RUN/g1.cfg
check paused state_has p
check unpause xl unpause g1
check boots guest_wait g1 @@ready 60 || finish
check guest_runs guest_sh g1 'echo kept >/tmp/mark; grep -c processor /proc/cpuinfo'
check pause xl pause g1
check is-paused state_has p
check unpause-again xl unpause g1
check mem-max max_is 300
check mem-set xl mem-set g1 200
check mem-is-set wait_for 10 mem_is 200
check mem-back xl mem-set g1 256
check mem-is-back wait_for 10 mem_is 256
check vcpu-off xl vcpu-set g1 1
check vcpu-is-off wait_for 10 vcpus_online 1
check vcpu-pin pinned
check sched-credit2 weighted
check rename xl rename g1 other
check renamed xl domid other
check rename-back xl rename other g1
check console console
check dmesg sh -c 'xl dmesg | grep -q "^(XEN)"'
check dmesg-clear sh -c 'xl dmesg -c >/dev/null && [ $(xl dmesg | wc -l) -lt 5 ]'
check uptime xl uptime g1
check xentop sh -c 'xentop -b -i 1 | grep -q g1'
check pools pools
check reboot rebooted
check shutdown xl shutdown -w g1
check destroyed wait_for 10 no_ghost g1
check again guest_create g2 pv
# It resets the vcpus of its victim, among other things.
[ ! -x /rig/control_probe ] || /rig/control_probe 0 "$(xl domid g2)" >$OUT/answers 2>&1
check destroy xl destroy g2
check no-ghost wait_for 10 no_ghost g2
check memory-back wait_for 20 free_is "$free_before"
check nothing-left nothing_left_since $RUN/held.before
finish
