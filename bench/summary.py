# SPDX-License-Identifier: GPL-2.0-only
"""What a run's folder says, as plain data: one record a guest type and job."""
import json
import re

import blocks
import rig

# Tasks of dom0 that serve guests: kernel threads, or our daemons' processes.
BACKEND_TASK = re.compile(r"^(\d+\.xvd\w+-\d+|vif\d+\.\d+\S*)$")
OTHER_EVENTS = re.compile(r"xenstore|xenconsole|xenbus|xen-pcpu|mce|hvc_console|balloon")
# Pages of a worker that belong to a guest, or are there to hold its data.
BUFFERS = re.compile(r"gntdev|gntalloc|memfd|io_uring|/dev/zero|\[anon(_shmem)?:[^]]*(pool|ring|buf)")


def disk_result(folder):
    report = rig.json_in((folder / "result").read_text(errors="replace"))
    job = report["jobs"][0]
    side = max((job["read"], job["write"]), key=lambda s: s["total_ios"])
    ns = side["runtime"] * 1000000
    return {"ops": side["total_ios"], "ns": ns, "rate": side["total_ios"] * 1e9 / ns,
            "unit": "IOPS", "bytes_s": side["io_bytes"] * 1e9 / ns,
            "latency_ns": side["lat_ns"]["mean"],
            "p99_ns": side["clat_ns"].get("percentile", {}).get("99.000000"),
            "errors": job.get("error", 0)}


def net_result(folder):
    end = rig.json_in((folder / "result").read_text(errors="replace"))["end"]
    sent, received = end["sum_sent"], end["sum_received"]
    return {"rate": received["bytes"] * 8 / received["seconds"], "unit": "bit/s",
            "sent": sent["bytes"] * 8 / sent["seconds"], "ns": received["seconds"] * 1e9,
            "bytes": received["bytes"], "retransmits": sent.get("retransmits", 0)}


def ping_result(folder):
    times = sorted(float(t) * 1e6 for t in re.findall(
        r"time=([\d.]+) ms", (folder / "result").read_text(errors="replace")))
    middle = times[len(times) // 2]
    return {"rate": 1e9 / middle, "unit": "1/s", "latency_ns": middle, "min_ns": times[0],
            "max_ns": times[-1], "count": len(times)}


def metrics_sum(path):
    """Our daemons' counters, summed over devices and queues."""
    total = {}
    for line in path.read_text(errors="replace").split("\n") if path.exists() else ():
        try:
            daemon = json.loads(line)
        except ValueError:
            continue
        for device in daemon.get("devices", []):
            queues = device.get("queues")
            for queue in queues if isinstance(queues, list) else []:
                for name, value in queue.items():
                    if isinstance(value, int):
                        total[name] = total.get(name, 0) + value
    return total


def metrics_per_unit(folder, job, kind):
    before, after = (metrics_sum(folder / f"stat-{x}") for x in ("before", "after"))
    if not after:
        return None
    change = {k: v - before.get(k, 0) for k, v in after.items()}
    moved = max(change.get("rx_bytes", 0), change.get("tx_bytes", 0))
    units = moved / rig.unit_bytes(job) if kind != "idle" else 1
    return {k: v / units for k, v in change.items()} if units else None


def is_backend(task):
    return bool(BACKEND_TASK.match(task["comm"])) or \
        bool(re.match(r"(/\S*/)?(blk|net)back\b", task["command"]))


def per_unit(folder, job, symbols):
    """Costs of one operation during the window."""
    window = rig.read_window(folder)
    if not window:
        return None
    units = rig.window_units(job, window)
    record = {"window_ns": window["ns"], "units": units, "unit_bytes": rig.unit_bytes(job)}
    if job == "idle":
        units = 1
    if not units:
        return record
    tasks = [t for t in window["tasks"] if is_backend(t)]
    record.update({
        "ns": window["ns"] / units,
        "cpu_dom0": window["cpu"].get(0, 0) / units,
        "cpu_guest": sum(v for k, v in window["cpu"].items() if k) / units,
        "backend_ns": sum(t["ns"] for t in tasks) / units,
        "backend_switches": sum(t["voluntary"] + t["involuntary"] for t in tasks) / units,
        "switches": window["switches"] / units,
        "events_dom0": sum(n for name, n in window["events"].items()
                           if not OTHER_EVENTS.search(name)) / units})
    if (folder / "blocks").exists():
        rows, copied = blocks.profile(folder, symbols)
        made, taken = blocks.hypercalls(rows)
        who = blocks.by_who(rows)
        record.update({
            "hypercalls_dom0": made["dom0 kernel"] / units,
            "hypercalls_guest": made["guest kernel"] / units,
            "hypercalls": {k: v / units for k, v in taken.items() if v / units > 0.005},
            "system_calls": {k: v / units for k, v in blocks.system_calls(rows).items()
                             if v / units > 0.005},
            "copied": {k: v / units for k, v in copied.items() if v / units > 1},
            "who": {k: v / units for k, v in who.items() if v / units > 1},
            "account": {k: v / units for k, v in blocks.account(rows).items()}})
    return record


def guest_events(folder, result, job):
    guest = rig.read_guest(folder)
    if not guest or not result:
        return None
    units = result.get("ops") or result.get("bytes", 0) / 65536
    return guest and units and sum(n for name, n in guest["events"].items()
                                   if not OTHER_EVENTS.search(name)) / units or None


def job_record(folder, job, symbols):
    record = {"job": job}
    try:
        if rig.is_disk(job):
            record["result"] = disk_result(folder)
        elif job == "ping":
            record["result"] = ping_result(folder)
        elif job != "idle":
            record["result"] = net_result(folder)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OSError, ZeroDivisionError) as e:
        record["failed"] = f"{type(e).__name__}: {e}"
    record["window"] = per_unit(folder, job, symbols)
    record["metrics"] = metrics_per_unit(folder, job, "idle" if job == "idle" else "work")
    record["events_guest"] = guest_events(folder, record.get("result"), job)
    return record


def worker_memory(folder):
    """KiB resident in a worker: all, and without grants, rings and buffers."""
    total = own = 0
    mappings, name = {}, ""
    for line in (folder / "smaps").read_text(errors="replace").split("\n"):
        m = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line)
        if m:
            name = m.group(1) or "anonymous"
        m = re.match(r"Rss:\s+(\d+) kB", line)
        if m:
            kib = int(m.group(1))
            total += kib
            mappings[name] = mappings.get(name, 0) + kib
            if not BUFFERS.search(name):
                own += kib
    return {"rss_kib": total, "own_kib": own, "mappings": mappings,
            "command": (folder / "cmdline").read_text().replace("\0", " ").strip()}


def summarise(results, symbols):
    """{type: {"jobs": {job: record}, "workers": [...]}} of one run."""
    out = {}
    for type_folder in sorted(p for p in results.iterdir() if p.name in ("pv", "pvh", "hvm")):
        jobs = {p.name: job_record(p, p.name, symbols) for p in sorted(type_folder.iterdir())
                if p.is_dir() and not p.name.startswith("worker-")}
        workers = [worker_memory(p) for p in sorted(type_folder.glob("worker-*"))]
        out[type_folder.name] = {"jobs": jobs, "workers": workers,
                                 "setup": (type_folder / "guest-setup").read_text(errors="replace")
                                 if (type_folder / "guest-setup").exists() else ""}
    return out
