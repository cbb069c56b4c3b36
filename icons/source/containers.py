"""Packs PNGs into icon.ico and icon.icns: render.sh calls it with the folder of <size>.png and the target folder.

Both formats are tables of images. Small .ico entries are bitmaps, which every Windows resource compiler reads;
256 px is PNG. Every .icns entry here is PNG (macOS 10.7 and newer).
"""

import struct
import sys
import zlib
from pathlib import Path


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and RGBA rows of an 8-bit RGBA PNG without interlace, which is all that rsvg-convert writes."""
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlace) == (8, 6, 0), "8-bit RGBA expected"
        if kind == b"IDAT":
            data += body
        at += 12 + size
    raw, stride = zlib.decompress(data), width * 4
    rows, above = [], bytearray(stride)
    for y in range(height):
        kind = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = row[x - 4] if x >= 4 else 0
            up = above[x]
            corner = above[x - 4] if x >= 4 else 0
            if kind == 1:
                add = left
            elif kind == 2:
                add = up
            elif kind == 3:
                add = (left + up) // 2
            elif kind == 4:
                guess = left + up - corner
                add = min((left, up, corner), key=lambda near: abs(guess - near))
            else:
                add = 0
            row[x] = (row[x] + add) & 255
        rows.append(bytes(row))
        above = row
    return width, height, rows


def bitmap(png: bytes) -> bytes:
    """The PNG as an .ico bitmap: header, BGRA rows from the bottom up, an empty AND mask."""
    width, height, rows = pixels(png)
    header = struct.pack("<IiiHHIIiiII", 40, width, height * 2, 1, 32, 0, 0, 0, 0, 0, 0)
    body = b"".join(
        bytes(channel for x in range(0, len(row), 4) for channel in (row[x + 2], row[x + 1], row[x], row[x + 3]))
        for row in reversed(rows)
    )
    mask = bytes(((width + 31) // 32) * 4 * height)
    return header + body + mask


def ico(images: dict[int, bytes]) -> bytes:
    entries = [(size, png if size == 256 else bitmap(png)) for size, png in images.items()]
    at = 6 + 16 * len(entries)
    table, bodies = struct.pack("<HHH", 0, 1, len(entries)), b""
    for size, body in entries:
        table += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(body), at + len(bodies))
        bodies += body
    return table + bodies


def icns(images: dict[int, bytes]) -> bytes:
    kinds = [(b"ic11", 32), (b"ic12", 64), (b"ic07", 128), (b"ic13", 256), (b"ic08", 256), (b"ic14", 512)]
    kinds += [(b"ic09", 512), (b"ic10", 1024)]
    body = b"".join(kind + struct.pack(">I", 8 + len(images[size])) + images[size] for kind, size in kinds)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    images = {int(file.stem): file.read_bytes() for file in source.glob("*.png")}
    (target / "icon.ico").write_bytes(ico({size: images[size] for size in (16, 24, 32, 48, 64, 256)}))
    (target / "icon.icns").write_bytes(icns(images))
