# SPDX-License-Identifier: GPL-2.0-only
# Through QEMU's gdb stub: waits until the first CPU is halted by the hypervisor, and has
# its stack end at the guard page (docs/hypervisor.md, "Stacks and CPUs").
# usage: crash_stack.py SOCKET
import socket
import sys
import time

STACK, GUARD_END = 32768, 5 * 4096
RSP, RIP = 7, 16
HLT = "f4"
stub = socket.socket(socket.AF_UNIX)
stub.connect(sys.argv[1])


def receive():
    while stub.recv(1) != b"$":
        pass
    answer = b""
    while not answer.endswith(b"#"):
        answer += stub.recv(1)
    stub.recv(2)
    stub.send(b"+")
    return answer[:-1].decode()


def send(text):
    stub.send(f"${text}#{sum(text.encode()) & 255:02x}".encode())


def ask(text):
    send(text)
    return receive()


def register(values, n):
    return int.from_bytes(bytes.fromhex(values[n * 16 : n * 16 + 16]), "little")


def first_cpu():
    """Selects it; reports of the machine's stop come before the answer."""
    send("Hg1")
    while receive() != "OK":
        pass


first_cpu()
for attempt in range(300):
    values = ask("g")
    rsp = register(values, RSP)
    ours = 0xFFFF800000000000 <= rsp < 0xFFFF880000000000  # slots 256 to 271
    if ours and ask(f"m{register(values, RIP) - 1:x},1") == HLT:
        end = (rsp & -STACK) + GUARD_END
        print(f"rsp {rsp:x} becomes {end:x}")
        values = values[: RSP * 16] + end.to_bytes(8, "little").hex() + values[RSP * 16 + 16 :]
        answer = ask("G" + values)
        send("c")
        time.sleep(1)
        sys.exit(answer != "OK")
    send("c")
    time.sleep(0.1)
    stub.send(b"\x03")
    first_cpu()
sys.exit("the CPU was never seen idle")
