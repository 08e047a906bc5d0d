#!/usr/bin/env python3
"""Makes the vectors of the image formats without any code of Cella: tiny.elf, tiny.enclave (signed with the
development key) and tiny.txt beside this file. Written after formats/image.md, formats/settings.md,
formats/measurement.md and the Intel SDM, volume 3D. Run it again only when a format changes.

usage: generate.py    (needs the openssl command to take the development key apart)
"""

import hashlib
import os
import re
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = os.path.join(HERE, "../../../cmake/INSECURE-development-signing-key.pem")
PAGE = 4096
READ, WRITE, EXECUTE = 1, 2, 4
REG, TCS = 0x200, 0x100

# --- the program: three segments, the last of which begins and ends inside of pages and has a zero part ---

SEGMENTS = [  # type, p_flags (R 4, W 2, X 1), offset, address, size in the file, size in memory, align
    (1, 4, 0x0000, 0x0000, 0x0200, 0x0200, 0x1000),
    (1, 5, 0x1000, 0x1000, 0x0020, 0x0020, 0x1000),
    (1, 6, 0x1F00, 0x2F00, 0x0180, 0x2200, 0x1000),
    (2, 6, 0x1F00, 0x2F00, 0x0020, 0x0020, 8),  # PT_DYNAMIC
    (0x6474E551, 6, 0, 0, 0, 0, 16),  # PT_GNU_STACK
]
ENTRY = 0x1008


def make_elf(with_debug):
    end = 0x2080
    data = bytearray(end)
    shoff, shentsize, shnum = (end, 64, 1) if with_debug else (0, 0, 0)
    data[0:64] = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 3, 62, 1, ENTRY, 64, shoff, 0, 64, 56, len(SEGMENTS),
        shentsize, shnum, 0)
    for i, (kind, flags, offset, address, file_size, memory_size, align) in enumerate(SEGMENTS):
        data[64 + 56 * i : 120 + 56 * i] = struct.pack(
            "<IIQQQQQQ", kind, flags, offset, address, address, file_size, memory_size, align)
    for low, high in ((0x180, 0x200), (0x1000, 0x1020), (0x1F20, 0x2080)):
        for at in range(low, high):
            data[at] = (at * 7 + 3) & 0xFF
    data[0x1F00:0x1F20] = struct.pack("<QQQQ", 30, 8, 0, 0)  # DT_FLAGS BIND_NOW, DT_NULL
    return bytes(data) + (b"debug information".ljust(64, b".") if with_debug else b"")


# --- settings ---

HEAP, STACK, THREADS = 1 << 20, 64 << 10, 2
OWNERS = [bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
          bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")]  # of RFC 8032
APPLICATION = [(b"greeting", b"hello; world"), (b"survey.id", b"")]


def field(number, value):
    return struct.pack("<HI", number, len(value)) + value


def make_settings():
    out = b"CELLASET" + struct.pack("<H", 1) + field(1, b"tiny")
    out += field(2, struct.pack("<H", 0x1234)) + field(3, struct.pack("<H", 5)) + field(4, b"\x01")
    out += field(5, struct.pack("<Q", HEAP)) + field(6, struct.pack("<Q", STACK)) + field(7, struct.pack("<I", THREADS))
    out += field(100, struct.pack("<Q", HEAP // 4))
    for number, value in ((101, 1024), (102, 64), (103, 1024), (104, 8), (105, 16)):
        out += field(number, struct.pack("<I", value))
    out += field(106, struct.pack("<I", 4096))
    for number, value in ((107, 1 << 20), (108, 64 << 20), (109, 0), (110, 64 << 10), (111, 16 << 20), (112, 1 << 20)):
        out += field(number, struct.pack("<Q", value))
    out += field(200, b"\1") + field(201, b"\2") + field(202, struct.pack("<I", 2))
    out += field(203, struct.pack("<Q", 64 << 20))
    for owner in OWNERS:
        out += field(204, owner)
    for key, value in APPLICATION:
        out += field(1000, key + b"\0" + value + b"\0")
    return out


# --- pages and code hash ---


def page_up(value):
    return (value + PAGE - 1) // PAGE * PAGE


def make_pages(elf, settings):
    """A list of (offset, SECINFO.FLAGS, extended, bytes) in load order, and the size of ELRANGE."""
    pages = []
    for kind, flags, offset, address, file_size, memory_size, _ in SEGMENTS:
        if kind != 1:
            continue
        permissions = (flags >> 2 & 1) * READ | (flags >> 1 & 1) * WRITE | (flags & 1) * EXECUTE
        low, high = address // PAGE * PAGE, page_up(address + memory_size)
        memory = bytearray(high - low)
        memory[address - low : address - low + file_size] = elf[offset : offset + file_size]
        for at in range(low, high, PAGE):
            pages.append((at, permissions | REG, True, bytes(memory[at - low : at - low + PAGE])))
    settings_offset = high
    heap = settings_offset + page_up(len(settings))
    padded = settings.ljust(heap - settings_offset, b"\0")
    for at in range(settings_offset, heap, PAGE):
        pages.append((at, READ | REG, True, padded[at - settings_offset : at - settings_offset + PAGE]))
    zero = bytes(PAGE)
    for at in range(heap, heap + HEAP, PAGE):
        pages.append((at, READ | WRITE | REG, False, zero))
    at = heap + HEAP
    for thread in range(THREADS):
        low = at + PAGE  # behind a guard page
        top = low + STACK
        tls = top + PAGE  # behind a guard page
        ssa = tls + PAGE
        tcs = ssa + 2 * PAGE + PAGE  # two frames, a guard page
        for stack in range(low, top, PAGE):
            pages.append((stack, READ | WRITE | REG, False, zero))
        thread_data = struct.pack("<12Q", tls, thread, top, low, tls + PAGE, settings_offset, ssa, tcs, heap, HEAP,
                                  THREADS, len(settings))
        pages.append((tls, READ | WRITE | REG, True, thread_data.ljust(PAGE, b"\0")))
        pages.append((ssa, READ | WRITE | REG, True, zero))
        pages.append((ssa + PAGE, READ | WRITE | REG, True, zero))
        # STATE, FLAGS, OSSA, CSSA, NSSA, OENTRY, AEP, OFSBASE, OGSBASE, FSLIMIT, GSLIMIT
        control = struct.pack("<QQQIIQQQQII", 0, 0, ssa, 0, 2, ENTRY, 0, tls, tls, 0xFFFFFFFF, 0xFFFFFFFF)
        pages.append((tcs, TCS, True, control.ljust(PAGE, b"\0")))
        at = tcs + PAGE
    size = 1
    while size < at:
        size *= 2
    return pages, size


def code_hash(pages, size):
    digest = hashlib.sha256(struct.pack("<8sIQ44x", b"ECREATE", 1, size))
    for offset, flags, extended, data in pages:
        digest.update(struct.pack("<8sQQ40x", b"EADD", offset, flags))
        if extended:
            for chunk in range(0, PAGE, 256):
                digest.update(struct.pack("<8sQ48x", b"EEXTEND", offset + chunk) + data[chunk : chunk + 256])
    return digest.digest()


# --- SIGSTRUCT ---


def read_key():
    text = subprocess.run(["openssl", "rsa", "-in", KEY, "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout

    def number(name):
        digits = re.search(name + r":((?:\s+[0-9a-f:]+)+)", text).group(1)
        return int(re.sub(r"[\s:]", "", digits), 16)

    return number("modulus"), number("privateExponent")


def make_sigstruct(enclave_hash):
    first = bytes.fromhex("06000000E10000000000010000000000") + struct.pack("<II", 0, 0x19700101)
    first += bytes.fromhex("01010000600000006000000001000000") + struct.pack("<I84x", 0)
    second = struct.pack("<II4x16x", 0, 0xFFFFFFFF)  # MISCSELECT, MISCMASK, reserved, ISVFAMILYID
    second += struct.pack("<QQ", 0x04 | 0x02, 3)  # ATTRIBUTES: MODE64BIT, DEBUG; x87 and SSE
    second += struct.pack("<QQ", 2**64 - 1, 2**64 - 1 - 0xE4)  # ATTRIBUTEMASK
    second += enclave_hash + bytes(16) + bytes(16) + struct.pack("<HH", 0x1234, 5)
    assert len(first) == 128 and len(second) == 128
    n, d = read_key()
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420")
    tail = digest_info + hashlib.sha256(first + second).digest()
    padded = b"\0\1" + b"\xff" * (384 - 3 - len(tail)) + b"\0" + tail
    signature = pow(int.from_bytes(padded, "big"), d, n)
    q1 = signature * signature // n
    q2 = (signature**3 - q1 * signature * n) // n

    def little(value):
        return value.to_bytes(384, "little")

    out = first + little(n) + struct.pack("<I", 3) + little(signature) + second + bytes(12) + little(q1) + little(q2)
    assert len(out) == 1808
    return out, hashlib.sha256(little(n)).digest()


def main():
    full, elf, settings = make_elf(True), make_elf(False), make_settings()
    pages, size = make_pages(elf, settings)
    enclave_hash = code_hash(pages, size)
    sigstruct, signer = make_sigstruct(enclave_hash)
    image = (b"CELLAIMG" + struct.pack("<IIQ24x", 1, len(settings), len(elf)) + sigstruct + settings)
    image = image.ljust(page_up(len(image)), b"\0") + elf
    with open(os.path.join(HERE, "tiny.elf"), "wb") as file:
        file.write(full)
    with open(os.path.join(HERE, "tiny.enclave"), "wb") as file:
        file.write(image)
    with open(os.path.join(HERE, "tiny.txt"), "w", encoding="ascii") as file:
        file.write("# Made by generate.py; formats/measurement.md explains it.\n")
        for name, value in (("settings", settings), ("code_hash", enclave_hash), ("code_signer", signer),
                            ("elrange_size", struct.pack(">Q", size))):
            file.write("%s = %s\n" % (name, value.hex()))


if __name__ == "__main__":
    main()
