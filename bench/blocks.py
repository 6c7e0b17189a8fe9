# SPDX-License-Identifier: GPL-2.0-only
"""Names for the blocks that the QEMU plugin counted, and sums over them.

A block's cost is instructions x executions, which under -icount is nanoseconds.
"""
import bisect
import collections
import functools
import pathlib
import re
import subprocess

import rig

# Stock Xen above, Xylem below.
XEN_TEXT = range(0xffff820000000000, 0xffff82d0c0000000)
KERNEL_TEXT = range(0xffffffff80000000, 0xffffffffc0000000)
MODULES = range(0xffffffffc0000000, 0xfffffffffff00000)

# Where the cost of moving data lies. The first class whose pattern matches wins;
# the name is WHO:SYMBOL.
CLASSES = [
    ("copying", r":(memcpy\w*|copy_user\w*|rep_movs\w*|__copy_user\w*|copy_page\w*|memmove|"
                r"__mem(move|cpy)\w*|skb_copy_bits|copyin|copyout)$"),
    ("pages cleared", r":(clear_page\w*|memset\w*|__memset\w*|clear_user\w*)$"),
    ("grants, hypervisor", r"^xen:.*(gnttab|grant|maptrack|map_domain_page|get_page|put_page|"
                           r"page_get_owner|get_pg_owner|rcu_lock_dom|__mfn_valid|_set_status|"
                           r"map_guest_l1e|page_lock|page_unlock|unmap_common|is_iomem)"),
    ("grants, dom0", r"^dom0 .*:(.*gnttab.*|.*gntdev.*|.*foreign_p2m.*|m2p_.*|.*p2m.*|"
                     r"lookup_address.*|mmu_interval.*|get_phys_to_machine)"),
    ("backend itself", r"worker:|\[xen_(net|blk)back\]"),
    ("wake-ups and switches", r":(.*evtchn.*|.*event_channel.*|__schedule|schedule\w*|"
        r"try_to_wake_up|ttwu.*|__wake_up.*|autoremove_wake.*|ep_poll.*|do_epoll.*|ep_send.*|"
        r"default_wake.*|pick_next.*|enqueue_.*|dequeue_.*|update_curr|.*_switch_to.*|"
        r"context_switch|finish_task_switch.*|csched.*|sched_.*|vcpu_(kick|block|unblock|wake).*|"
        r"do_sched_op|eventfd.*|do_block|xen_pv_evtchn.*|set_next_entity|put_prev.*|"
        r"update_load.*|.*update_load_avg.*|switch_mm.*|prepare_to_wait.*|finish_wait|psi_.*|"
        r"send_guest.*|runq.*|burn_credits|.*_credit.*|load_TLS.*|update_runstate.*|"
        r"(common/sched/.*)|vcpu_runstate.*|(start|stop|set)_timer|arch/x86/domain.c.*|"
        r"emul-priv.*|.*pv/emul.*|x86_emulate|arch/x86/x86_emulate.*|pv_emul.*|guest_rdmsr)$"),
    ("io_uring, aio, poll", r"^dom0 .*:(_*io_(?!schedule).*|aio_.*|__x64_sys_io_.*|.*eventpoll.*|"
                            r"__pollwait|poll_.*|tctx_.*)$"),
    ("tap", r"^dom0 .*:(tun_.*|tap_.*|.*\[tun\]|.*\[tap\]|virtio_net_hdr.*)$"),
    ("bridge", r"^dom0 .*:(br_.*|fdb_.*|__br_.*|.*\[bridge\])$"),
    ("disk stack", r"^dom0 .*:(blk_.*|__blk.*|bio_.*|submit_bio.*|__bio.*|null_.*|"
                   r".*\[null_blk\]|blkdev.*|sbitmap.*|__sbitmap.*|.*get_user_pages.*|gup.*|"
                   r"follow_.*|.*dio.*|.*_bio$)"),
    ("network stack", r"^dom0 .*:(tcp_.*|__tcp.*|ip_.*|__ip.*|ipv4.*|skb_.*|__skb.*|.*skb|"
                      r"netif_.*|__netif.*|net_.*|napi_.*|__napi.*|dev_.*|__dev.*|sk_.*|__sk.*|"
                      r"inet_.*|sock_.*|.*csum.*|validate_xmit.*|sch_.*|pfifo.*|fq_.*|"
                      r"release_sock|lock_sock.*|eth_.*|nf_.*|dql_.*|gro_.*|process_backlog|"
                      r"simple_copy_to_iter|_copy_(to|from)_iter|iov_iter.*)"),
    ("memory management", r"^dom0 .*:(.*alloc.*|.*free.*|.*page.*|.*slab.*|rmqueue.*|.*folio.*|"
                          r"__check_object_size|__virt_addr_valid|.*lru.*|.*mempool.*|.*memcg.*)"),
    ("system calls, traps", r":(do_syscall_64|.*SYSCALL.*|syscall_.*|.*_iret.*|x64_sys_call|"
                            r"__x64_sys.*|xen_hypercall.*|.*exit_to_user.*|__fget.*|fput.*|"
                            r"irqentry.*|xen_(save|restore)_fl.*|.*asm_(exc|sysvec).*|error_.*|"
                            r".*_hypervisor_callback)$"),
    ("hypervisor, entry and rest", r"^xen:"),
]
CLASSES = [(name, re.compile(pattern)) for name, pattern in CLASSES]

Row = collections.namedtuple("Row", "who symbol ns calls")


class Symbols:
    """Sorted addresses with names."""

    def __init__(self, entries):
        self.entries = sorted(set(entries))
        self.addresses = [e[0] for e in self.entries]

    def find(self, address):
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.entries[i][1] if i >= 0 else None

    def starts(self, address):
        i = bisect.bisect_left(self.addresses, address)
        return i < len(self.addresses) and self.addresses[i] == address


def read_list(path, modules=False):
    entries = []
    if path.exists():
        for line in path.read_text(errors="replace").split("\n"):
            words = line.split()
            if len(words) < 3 or words[1] not in "tTwW":
                continue
            if len(words) > 3 and not modules:
                continue
            name = words[2] + (" " + words[3] if len(words) > 3 else "")
            entries.append((int(words[0], 16), name))
    return Symbols(entries)


def host_file(path):
    """The file on this machine whose copy runs in dom0 under this path."""
    name = pathlib.Path(path).name
    pkg = rig.BUILD / "rig/pkg"
    for candidate in (rig.BUILD / "bin" / name if "/xylem/" in path else None,
                      pkg / path.lstrip("/"), pkg / path.removeprefix("/usr").lstrip("/"),
                      pkg / ("usr" + path), pathlib.Path(path),
                      pathlib.Path("/lib/x86_64-linux-gnu") / name):
        if candidate and candidate.is_file():
            return candidate
    return None


@functools.lru_cache(maxsize=None)
def file_symbols(path):
    file = host_file(path)
    entries, gaps = [], set()
    for flags in ("-nS", "-nSD") if file else ():
        text = subprocess.run(["nm", flags, str(file)], capture_output=True, text=True).stdout
        for line in text.split("\n"):
            words = line.split()
            if len(words) == 4 and words[2] in "tTwWiu":
                start, size = int(words[0], 16), int(words[1], 16)
                entries.append((start, words[3].split("@")[0]))
                gaps.add(start + size)
    # A stripped library has functions without names: they are not the one before.
    name = pathlib.Path(path).name
    entries += [(a, f"{name}+{a:x}") for a in gaps - {e[0] for e in entries}]
    return Symbols(entries)


def read_maps(path):
    """(start, end, offset, file, process) of every executable mapping in dom0."""
    maps, process = [], ""
    for line in path.read_text(errors="replace").split("\n") if path.exists() else ():
        if line.startswith("process "):
            words = line.split()[2:]
            process = pathlib.Path(words[0]).name.rstrip(":") if words else ""
            if "--worker" in words:
                process += " worker"
            continue
        words = line.split(None, 5)
        if len(words) >= 5 and "x" in words[1]:
            start, end = (int(x, 16) for x in words[0].split("-"))
            maps.append((start, end, int(words[2], 16),
                         words[5] if len(words) > 5 else "", process))
    return maps


class Namer:
    def __init__(self, type_folder, symbols):
        self.xen = read_list(symbols / "xensyms")
        self.kernel = read_list(symbols / "kallsyms")
        self.modules = {"0": read_list(type_folder / "dom0-modules", True),
                        "1": read_list(type_folder / "guest-modules", True)}
        self.maps = read_maps(type_folder / "maps")

    def user(self, address, domain):
        for start, end, offset, file, process in self.maps:
            if start <= address < end:
                if not file.startswith("/"):
                    return f"dom0 {process}", file or "?", False
                symbols = file_symbols(file)
                inner = address - start + offset
                return (f"dom0 {process}", symbols.find(inner) or pathlib.Path(file).name,
                        symbols.starts(inner))
        return ("guest user" if domain == "1" else "dom0 other programs"), "?", False

    def name(self, address, domain):
        """(who, symbol, whether the address is the symbol's first)"""
        if address >> 63 == 0:
            return self.user(address, domain)
        owner = {"0": "dom0 kernel", "1": "guest kernel"}.get(domain, "kernel")
        if address in XEN_TEXT:
            return "xen", self.xen.find(address) or "?", self.xen.starts(address)
        if address in KERNEL_TEXT:
            return owner, self.kernel.find(address) or "?", self.kernel.starts(address)
        symbols = self.modules.get(domain)
        if address in MODULES and symbols and symbols.addresses and \
                address >= symbols.addresses[0]:
            return owner, symbols.find(address), symbols.starts(address)
        return (owner if address in MODULES else "xen"), f"{address:x}", False


def read_blocks(path):
    for line in open(path):
        address, insns, count, domain, copy = line.split()
        yield int(address, 16), int(insns), int(count), domain, copy


def profile(job_folder, symbols):
    """Rows of the job's window, dearest first, and bytes copied by string
    instructions for each who."""
    namer = Namer(job_folder.parent, symbols)
    ns, calls = collections.Counter(), collections.Counter()
    copied = collections.Counter()
    for address, insns, count, domain, copy in read_blocks(job_folder / "blocks"):
        who, symbol, start = namer.name(address, domain)
        ns[who, symbol] += insns * count
        if start:
            calls[who, symbol] += count
        if copy != "-":
            copied[who] += count * (8 if copy == "q" else 1)
    rows = [Row(who, symbol, n, calls[who, symbol]) for (who, symbol), n in ns.items()]
    return sorted(rows, key=lambda r: -r.ns), copied


def by_who(rows):
    total = collections.Counter()
    for row in rows:
        total[row.who] += row.ns
    return total


def classify(row):
    label = f"{row.who}:{row.symbol}"
    for name, pattern in CLASSES:
        if pattern.search(label):
            return name
    return "programs" if "kernel" not in row.who else "dom0 kernel, rest"


def account(rows):
    """Cost of each class, guests left out: what the backend's side spends."""
    total = collections.Counter()
    for row in rows:
        if not row.who.startswith("guest"):
            total[classify(row)] += row.ns
    return total


def hypercalls(rows):
    """Who made how many, and which calls the hypervisor took."""
    made, taken = collections.Counter(), collections.Counter()
    for row in rows:
        if re.match(r"xen_hypercall_(pv|amd|intel|hvm)$", row.symbol):
            made[row.who] += row.calls
        m = re.match(r"do_(\w+)$", row.symbol)
        if row.who == "xen" and m and re.search(
                r"_op$|^iret$|mmu_update|update_va|multicall|set_segment_base|stack_switch|"
                r"fpu_taskswitch|set_gdt|update_descriptor", m.group(1)):
            taken[m.group(1)] += row.calls
    return made, taken


def system_calls(rows):
    """System calls in dom0, by name."""
    return collections.Counter({row.symbol.removeprefix("__x64_sys_"): row.calls
                                for row in rows if row.who == "dom0 kernel" and row.calls and
                                row.symbol.startswith("__x64_sys_")})
