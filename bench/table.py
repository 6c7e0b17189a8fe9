# SPDX-License-Identifier: GPL-2.0-only
"""The figures of `make bench` as text."""
import re

import rig

GOALS = {"qd32": 1.0, "qd1": 0.8, "128k": 1.0, "net": 0.8}


def goal(job):
    if job.startswith("net-g2g") or job in ("ping", "idle"):
        return None
    for key, value in GOALS.items():
        if re.search(rf"(^|-){key}(-|$)", job):
            return value
    return None


def rate(result):
    if not result:
        return "-"
    if result["unit"] == "IOPS":
        mb = result["bytes_s"] / 1e6
        return f"{result['rate']:,.0f} IOPS" if mb / max(result["rate"], 1) < 0.1 else f"{mb:,.0f} MB/s"
    if result["unit"] == "bit/s":
        return f"{result['rate'] / 1e9:.3f} Gbit/s"
    return f"{result['latency_ns'] / 1e3:.1f} us"


def jobs_in_order(*sides):
    present = {job for side in sides if side for job in side["jobs"]}
    return [j for j in rig.ALL_JOBS if j in present] + \
        sorted(j for j in present if j not in rig.ALL_JOBS)


def results_of(data, type_, job):
    out = []
    for backend in ("kernel", "xylem"):
        side = data["runs"].get(backend, {}).get(type_)
        out.append(side["jobs"].get(job) if side else None)
    return out


def ratio(kernel, ours):
    a = (kernel or {}).get("result")
    b = (ours or {}).get("result")
    return b["rate"] / a["rate"] if a and b and a["rate"] else None


def types_of(data):
    return [t for t in ("pv", "pvh", "hvm") if any(t in run for run in data["runs"].values())]


def rates(data):
    """One line a job: kernel, ours, ratio, and whether the goal is met."""
    for type_ in types_of(data):
        yield f"\n{type_.upper()} guest: rates (counted time: 1 ns an instruction)"
        yield f"  {'job':20} {'kernel':>16} {'ours':>16} {'ratio':>7}  goal"
        sides = [data["runs"].get(b, {}).get(type_) for b in ("kernel", "xylem")]
        for job in jobs_in_order(*sides):
            kernel, ours = results_of(data, type_, job)
            if job == "idle":
                continue
            r, wanted = ratio(kernel, ours), goal(job)
            verdict = "" if r is None or wanted is None else \
                f"{wanted:.1f} {'met' if r >= wanted else 'MISSED'}"
            yield (f"  {job:20} {rate((kernel or {}).get('result')):>16} "
                   f"{rate((ours or {}).get('result')):>16} "
                   f"{'' if r is None else format(r, '.3f'):>7}  {verdict}")
            yield from sent_line(kernel, ours)
            for name, record in (("kernel", kernel), ("ours", ours)):
                if record and record.get("failed"):
                    yield f"    {name}: failed: {record['failed']}"
        yield from balance(data, type_)


def balance(data, type_):
    """Sending beside receiving, as the guest sees it."""
    for streams in (1, 4):
        pairs = zip(*(results_of(data, type_, f"net-{way}-{streams}") for way in ("tx", "rx")))
        cells = []
        for tx, rx in pairs:
            a, b = ((r or {}).get("result") for r in (tx, rx))
            cells.append(f"{a['rate'] / b['rate']:.3f}" if a and b else "-")
        if cells != ["-", "-"]:
            yield f"  {f'net-tx ÷ net-rx, {streams}':20} {cells[0]:>16} {cells[1]:>16}"


def sent_line(kernel, ours):
    sent = [(r or {}).get("result") or {} for r in (kernel, ours)]
    if any("sent" in s for s in sent):
        cells = [f"{s['sent'] / 1e9:.3f} Gbit/s" if "sent" in s else "-" for s in sent]
        yield f"  {'  at the sender':20} {cells[0]:>16} {cells[1]:>16}"


COLUMNS = [
    ("ns", "ns", "window's time"), ("cpu_dom0", "dom0", ""), ("cpu_guest", "guest", ""),
    ("backend_ns", "backend", ""), ("events_dom0", "ev>dom0", ""), ("events_guest", "ev>gst", ""),
    ("hypercalls_dom0", "hc dom0", ""), ("hypercalls_guest", "hc gst", ""),
    ("syscalls", "sysc", ""), ("copied_xen", "cp xen", ""), ("copied_dom0", "cp dom0", ""),
    ("copied_ours", "cp ours", ""), ("backend_switches", "ctxsw", "")]


def costs_of(record, backend):
    window = record.get("window") or {}
    metrics = record.get("metrics") or {}
    copied = window.get("copied", {})
    own = {k: v for k, v in copied.items() if k.startswith("dom0")}
    return {**window, "events_guest": record.get("events_guest"),
            "syscalls": metrics.get("syscalls") if backend == "xylem" else 0,
            "copied_xen": copied.get("xen", 0) if "copied" in window else None,
            "copied_dom0": sum(own.values()) if "copied" in window else None,
            "copied_ours": metrics.get("copied_bytes")}


def cell(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def costs(data):
    """Costs of an operation (its block; 64 KiB of network)."""
    for type_ in types_of(data):
        yield (f"\n{type_.upper()} guest: per operation (a block; 64 KiB of network): counted ns "
               "of wall clock, dom0, guest (both with the hypervisor's work for them) and the "
               "backend's tasks;\n  events taken, hypercalls, system calls of the worker, bytes "
               "copied by hypervisor, dom0 (rep movs counted) and as our counters say, "
               "context switches of the backend")
        yield "  " + " ".join([f"{'job':26}"] + [f"{name:>8}" for _, name, _ in COLUMNS])
        sides = [data["runs"].get(b, {}).get(type_) for b in ("kernel", "xylem")]
        for job in jobs_in_order(*sides):
            if job in ("ping", "idle"):
                continue
            for backend, record in zip(("kernel", "ours"), results_of(data, type_, job)):
                if record:
                    values = costs_of(record, "xylem" if backend == "ours" else "kernel")
                    yield "  " + " ".join(
                        [f"{job + ' ' + backend:26}"] +
                        [f"{cell(values.get(key)):>8}" for key, _, _ in COLUMNS])


def accounts(data, per_page=True):
    """Where dom0 and hypervisor spend the time of a page of network."""
    for type_ in types_of(data):
        sides = [data["runs"].get(b, {}).get(type_) for b in ("kernel", "xylem")]
        for job in jobs_in_order(*sides):
            pair = [((r or {}).get("window") or {}).get("account")
                    for r in results_of(data, type_, job)]
            if not job.startswith("net-") or not any(pair):
                continue
            names = sorted({k for p in pair if p for k in p},
                           key=lambda k: -max((p or {}).get(k, 0) for p in pair))
            yield (f"\n{type_.upper()} {job}: ns a page (4 KiB), dom0 and hypervisor"
                   f"\n  {'':24} {'kernel':>9} {'ours':>9}")
            for name in names:
                cells = [f"{p.get(name, 0) / 16:.0f}" if p else "-" for p in pair]
                yield f"  {name:24} {cells[0]:>9} {cells[1]:>9}"
            totals = [f"{sum(p.values()) / 16:.0f}" if p else "-" for p in pair]
            yield f"  {'all':24} {totals[0]:>9} {totals[1]:>9}"


def idle(data):
    for type_ in types_of(data):
        for backend, record in zip(("kernel", "ours"), results_of(data, type_, "idle")):
            w = (record or {}).get("window")
            if w and "backend_ns" in w:
                yield (f"  {type_} idle, {backend}: backend {w['backend_ns']:.0f} ns and "
                       f"{w['backend_switches']:.0f} switches in {w['window_ns'] / 1e9:.1f} s")
        for worker in data["runs"].get("xylem", {}).get(type_, {}).get("workers", []):
            verdict = "" if worker["own_kib"] <= 5120 else "  MISSED (5120)"
            yield (f"  {type_} worker {worker['command']}: {worker['rss_kib']} KiB resident, "
                   f"{worker['own_kib']} beyond grants and buffers{verdict}")


def text(data):
    out = list(rates(data)) + list(costs(data)) + list(accounts(data))
    rest = list(idle(data))
    if rest:
        out += ["\nIdle and memory"] + rest
    out += ["\nSame in both runs: " + data["setup"]]
    return "\n".join(out)
