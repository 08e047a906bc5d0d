#!/usr/bin/env python3
"""Makes example.txt beside this file without any code of Cella: a root key of a vault on the simulated machine of
../sim-machine. Written after formats/machine-key.md and formats/sim-machine.md.

usage: generate.py
"""

import hmac
import os
import struct

FUSE = bytes(range(32))
MRENCLAVE, MRSIGNER, PRODUCT, SVN, FLAGS, XFRM = b"\x11" * 32, b"\x22" * 32, 7, 3, 5, 7
CPUSVN = bytes.fromhex("03030202ff8000000000000000000000")
KEY_ID = b"\x55" * 32
POLICY = 2  # MRSIGNER
FLAGS_MASK, XFRM_MASK, MISC_MASK = 0xFF0000000000000B, 0, 0xF0000000


def hkdf(secret, info, size):
    key, out, block, count = hmac.digest(bytes(32), secret, "sha256"), b"", b"", 1
    while len(out) < size:
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        out, count = out + block, count + 1
    return out[:size]


def main():
    info = struct.pack("<HHHH", 1, POLICY, SVN, PRODUCT) + CPUSVN + struct.pack("<QQII", FLAGS_MASK, XFRM_MASK, MISC_MASK, 0)
    info += KEY_ID + struct.pack("<Q", FLAGS & FLAGS_MASK) + MRSIGNER
    masks = struct.pack("<QQ", FLAGS_MASK, XFRM_MASK)
    dependencies = struct.pack("<HHHHH", 4, POLICY, PRODUCT, SVN, 0)
    dependencies += struct.pack("<II", 0 & MISC_MASK, ~MISC_MASK & 0xFFFFFFFF)
    dependencies += struct.pack("<QQ", FLAGS & (FLAGS_MASK | 3), XFRM & XFRM_MASK) + masks
    dependencies += bytes(32) + MRSIGNER + KEY_ID + CPUSVN + bytes(64)
    assert len(info) == 120 and len(dependencies) == 226
    sealing = hkdf(FUSE, b"cella sim 1 egetkey\0" + dependencies, 16)
    root = hkdf(sealing, b"cella/vault/machine-key/1\0" + info, 32)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "example.txt"), "w", encoding="ascii") as file:
        file.write("# Made by generate.py; formats/machine-key.md explains it. The enclave is that of sim-machine/keys.txt.\n")
        for name, value in (("info", info), ("sealing_key", sealing), ("root_key", root)):
            file.write("%s = %s\n" % (name, value.hex()))


if __name__ == "__main__":
    main()
