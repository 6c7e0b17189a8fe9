# SPDX-License-Identifier: GPL-2.0-only
"""Runs bench/io.sh in the rig and reads what it left: shared by compare and profile."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
OUT = BUILD / "bench"
RIG = TOP / "tests/rig/run"

DISK_JOBS = ["randread-4k-qd1", "randwrite-4k-qd1", "randread-4k-qd32",
             "randwrite-4k-qd32", "read-128k-qd8", "write-128k-qd8"]
NET_JOBS = ["net-tx-1", "net-tx-4", "net-rx-1", "net-rx-4", "net-g2g-1"]
ALL_JOBS = ["idle"] + DISK_JOBS + ["ping"] + NET_JOBS
QUICK_JOBS = ["randread-4k-qd1", "randread-4k-qd32", "net-tx-1", "net-rx-1"]

# Kernel functions that run soon after any switch from one domain to another.
HOOKS = ["__schedule", "do_syscall_64", "irqentry_enter", "__xen_evtchn_do_upcall",
         "evtchn_2l_handle_events", "evtchn_fifo_handle_events", "exc_page_fault"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_programs():
    subprocess.run(["make", "-s", "-C", str(TOP), "build/bin/bench-probe",
                    "build/bin/hvops", "build/bin/tbcount.so"], check=True)


@contextlib.contextmanager
def counting_qemu(windows, hooks):
    """A folder with a qemu-system-x86_64 that loads the counting plugin."""
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        plugin = f"{BUILD}/bin/tbcount.so,out={windows}"
        plugin += "".join(f",hook={h:x}" for h in hooks)
        wrapper = pathlib.Path(folder) / "qemu-system-x86_64"
        wrapper.write_text("#!/bin/sh\nexec %s \"$@\" -plugin '%s'\n"
                           % (shutil.which("qemu-system-x86_64"), plugin))
        wrapper.chmod(0o755)
        yield folder


def rig(name, scenario, arguments, inputs=(), guest_inputs=(), limit=300, env=None,
        quiet=False):
    """One run of the rig; its folder under build/logs and its status."""
    # Read whole: a shell reads its script as it goes, and someone may be editing it.
    command = ["bash", "-c", RIG.read_text(), str(RIG), "-t", str(limit), "-n", name]
    command += ["-q"] if quiet else []
    for item in inputs:
        command += ["-i", str(item)]
    for item in guest_inputs:
        command += ["-g", str(item)]
    status = subprocess.run(command + [str(TOP / scenario)] + list(arguments),
                            env={**os.environ, **(env or {})}, stdout=sys.stderr).returncode
    return BUILD / "logs" / name, status


def kernel_symbols():
    """kallsyms and xensyms, fetched by one short boot and kept while images last."""
    folder = OUT / f"symbols-{os.environ.get('HV', 'xen')}"
    images = [BUILD / "rig/vmlinux"]
    images += [BUILD / "hv/xylem"] if os.environ.get("HV") == "xylem" else []
    kept = folder / "kallsyms"
    if not kept.exists() or any(i.exists() and i.stat().st_mtime > kept.stat().st_mtime
                                for i in images):
        say("bench: one boot for the kernel's symbols")
        log, status = rig(f"bench-symbols-{os.getpid()}", "bench/symbols.sh", [], limit=300)
        if status:
            sys.exit(f"bench: no symbols: status {status}, see {log}")
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("xensyms", "kallsyms"):
            shutil.copyfile(log / "out" / name, folder / name)
        shutil.rmtree(log)
    return folder


def hook_addresses(folder):
    found = {}
    for line in open(folder / "kallsyms"):
        address, _, name = line.split()[:3]
        if name in HOOKS:
            found[name] = int(address, 16)
    return list(found.values())


def measure(backend, types, jobs, tag, symbols=False, seconds=2, window=1000, guest_args=""):
    """Boots dom0 with these backends, runs the jobs, returns the results' folder."""
    make_programs()
    hooks = hook_addresses(kernel_symbols())
    results = OUT / f"{tag}-{backend}"
    name = f"bench-{backend}-{os.getpid()}"
    arguments = [f"types={','.join(types)}", f"jobs={','.join(jobs)}", f"seconds={seconds}",
                 f"window={window}", f"args={guest_args}"]
    if symbols:
        arguments.append("symbols=1")
    limit = 120 + len(types) * (60 + 60 * len(jobs))
    with tempfile.TemporaryDirectory(prefix="bench.") as windows:
        with counting_qemu(f"{windows}/window", hooks) as folder:
            env = {"BACKEND": backend, "ICOUNT": "1",
                   "PATH": f"{folder}:{os.environ['PATH']}"}
            log, status = rig(name, "bench/io.sh", arguments, env=env, limit=limit,
                              inputs=[BUILD / "bin/bench-probe"])
        if not (log / "out/windows").exists():
            sys.exit(f"bench: {backend}: nothing measured (status {status}), see {log}")
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(log / "out", results)
        shutil.copyfile(log / "console", results / "console")
        for number, path in enumerate((log / "out/windows").read_text().split(), 1):
            window_file = pathlib.Path(windows) / f"window.{number}"
            if window_file.exists():
                job = results / pathlib.Path(path).relative_to("/rig/out")
                shutil.copyfile(window_file, job / "blocks")
    if status:
        say(f"bench: {backend}: status {status}: some jobs failed")
    shutil.rmtree(log)
    return results


# --- reading one job's folder ---

def parse_interrupts(lines):
    """Name of each event channel's handler -> how often it ran."""
    counts = {}
    for line in lines:
        m = re.match(r"\s*\d+:\s+(\d+)\s+\S*xen-dyn\S*\s+-event\s+(\S+)", line)
        if m:
            counts[m.group(2)] = counts.get(m.group(2), 0) + int(m.group(1))
    return counts


def parse_snapshot(lines):
    snap = {"domains": {}, "tasks": {}, "files": {}, "ns": 0}
    i = 0
    while i < len(lines):
        words = lines[i].split(" ")
        if words[0] == "@":
            snap["ns"] = int(words[1])
        elif words[0] == "domain":
            snap["domains"][int(words[1])] = int(words[2])
        elif words[0] == "task":
            comm, _, command = " ".join(words[6:]).partition("|")
            snap["tasks"][int(words[2])] = {
                "pid": int(words[1]), "ns": int(words[3]), "voluntary": int(words[4]),
                "involuntary": int(words[5]), "comm": comm, "command": command}
        elif words[0] == "file":
            count = int(words[-1])
            snap["files"][" ".join(words[1:-1])] = lines[i + 1:i + 1 + count]
            i += count
        i += 1
    return snap


def parse_probe(path):
    lines = path.read_text(errors="replace").split("\n")
    middle = lines.index("after")
    return parse_snapshot(lines[1:middle]), parse_snapshot(lines[middle + 1:])


def difference(after, before):
    return {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)}


def context_switches(lines):
    return next((int(x.split()[1]) for x in lines if x.startswith("ctxt ")), 0)


def read_window(folder):
    """What changed in dom0 during the window in the middle of a job."""
    if not (folder / "probe").exists():
        return None
    b, a = parse_probe(folder / "probe")
    disk = "/sys/block/nullb0/stat"
    stat = [int(y) - int(x) for x, y in zip(b["files"][disk][0].split(),
                                           a["files"][disk][0].split())]
    net = {"rx": 0, "tx": 0}
    for path in a["files"]:
        m = re.search(r"/(vif\d+\.\d+)/statistics/([rt]x)_bytes", path)
        if m and path in b["files"]:
            net[m.group(2)] += int(a["files"][path][0]) - int(b["files"][path][0])
    tasks = []
    for tid, task in a["tasks"].items():
        old = b["tasks"].get(tid, {"ns": 0, "voluntary": 0, "involuntary": 0})
        change = {k: task[k] - old[k] for k in ("ns", "voluntary", "involuntary")}
        if any(change.values()):
            tasks.append({**task, **change, "tid": tid})
    tasks.sort(key=lambda t: -t["ns"])
    return {"ns": a["ns"] - b["ns"], "disk_ios": stat[0] + stat[4],
            "disk_bytes": (stat[2] + stat[6]) * 512, "net": net, "tasks": tasks,
            "cpu": difference(a["domains"], b["domains"]),
            "events": difference(parse_interrupts(a["files"]["/proc/interrupts"]),
                                 parse_interrupts(b["files"]["/proc/interrupts"])),
            "switches": context_switches(a["files"]["/proc/stat"]) -
                        context_switches(b["files"]["/proc/stat"])}


def read_guest(folder):
    """Events and switches in the guest over the whole job."""
    if not (folder / "guest-after").exists():
        return None
    before = (folder / "guest-before").read_text().split("\n")
    after = (folder / "guest-after").read_text().split("\n")
    return {"events": difference(parse_interrupts(after), parse_interrupts(before)),
            "switches": context_switches(after) - context_switches(before)}


def json_in(text):
    """The first JSON object in a text that may have a warning before it."""
    start = text.find("{")
    return json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None


def is_disk(job):
    return bool(re.match(r"(rand)?(read|write|rw)-", job))


def unit_bytes(job):
    """What one operation of a job is: its block, or 64 KiB of network."""
    if not is_disk(job):
        return 65536
    m = re.match(r"(\d+)(k?)", job.split("-")[1])
    return int(m.group(1)) * (1024 if m.group(2) else 1)


def window_units(job, window):
    """How many operations of the job the window saw."""
    if is_disk(job):
        return window["disk_bytes"] / unit_bytes(job)
    net = window["net"]
    bytes_ = max(net["rx"], net["tx"])
    return bytes_ / 65536
