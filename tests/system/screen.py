# SPDX-License-Identifier: GPL-2.0-only
# What a screen shows against what the serial line said.
# usage: screen.py SERIAL FONT.bin DUMP.ppm    a picture, glyphs of 8x16
#        screen.py SERIAL - MEMORY             80x25 text as in a VGA's memory
# Prints the screen's text; fails unless it is the end of the serial line's.
import sys

serial, font, dump = sys.argv[1:]


def of_memory(data):
    rows = [data[at : at + 160 : 2] for at in range(0, 4000, 160)]
    return [row.decode("latin-1") for row in rows]


def of_picture(data, glyphs):
    magic, width, height, _, pixels = data.split(maxsplit=3)[:3] + data.split(maxsplit=3)[3].split(b"\n", 1)
    width, height = int(width), int(height)
    lit = [any(pixels[at : at + 3]) for at in range(0, width * height * 3, 3)]
    rows = []
    for y in range(0, height - 15, 16):
        row = ""
        for x in range(0, width - 7, 8):
            bits = bytes(
                sum(lit[(y + i) * width + x + j] << (7 - j) for j in range(8)) for i in range(16)
            )
            row += glyphs.get(bits, "\ufffd")
        rows.append(row)
    return rows


with open(dump, "rb") as f:
    data = f.read()
if font == "-":
    shown = of_memory(data)
else:
    with open(font, "rb") as f:
        bits = f.read()
    shown = of_picture(data, {bits[c * 16 : c * 16 + 16]: chr(c) for c in range(126, 31, -1)})
print("\n".join(row.rstrip() for row in shown))

columns = len(shown[0])
with open(serial, "rb") as f:
    said = f.read().decode("latin-1")
said = said[said.index("(XEN) ") :].replace("\r", "")
lines = []
for line in said.split("\n"):
    lines += [line[at : at + columns] for at in range(0, max(len(line), 1), columns)]
lines = [line.ljust(columns) for line in lines[-len(shown) :]]
lines += [" " * columns] * (len(shown) - len(lines))
sys.exit(lines != shown)
