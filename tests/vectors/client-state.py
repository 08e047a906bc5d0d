#!/usr/bin/env python3
"""Makes client-state.txt, the worked example of formats/client-state.md, from that page and with no code of Cella.

usage: client-state.py > client-state.txt
"""
import hashlib
import struct


def sized(data):
    return struct.pack("<I", len(data)) + data


def signed_head(vault_id, lineage, epoch, version, fill):
    """As in formats/head.md; the client does not check the signature of what it stored itself."""
    return (b"CVHD" + struct.pack("<HH", 1, 0) + vault_id + struct.pack("<QQQ", lineage, epoch, version) +
            bytes([fill]) * 32 + bytes([fill + 1]) * 32 + bytes([fill + 2]) * 32 + bytes([fill + 3]) * 64)


HAVE, PINNED, SESSION, MET, FORKED = 1, 2, 4, 8, 16
genesis = b"GENESIS"
vault_id = hashlib.sha256(genesis).digest()
state = b"CELLACLI" + struct.pack("<HH", 1, HAVE | PINNED | SESSION | MET | FORKED)
state += bytes(range(1, 33)) + bytes(range(16))
state += sized(b"https://host:7700") + sized(b"echo") + sized(b"C:" + b"11" * 32 + b" SEC:INSECURE")
state += b"\xaa" * 16 + vault_id + bytes(32) + struct.pack("<Q", 0)
state += struct.pack("<IQQq", 7, 8, 9, 10)
state += sized(genesis) + bytes([2])
state += signed_head(vault_id, 0, 3, 41, 0x40) + signed_head(vault_id, 0, 2, 39, 0x50)
state += struct.pack("<QI", 5, 2)
state += struct.pack("<H", 1) + bytes([1, 1]) + b"a" + b"\xdd" * 32
state += sized(b"SESSION")
state += hashlib.sha256(state).digest()

print("# A client's state file (formats/client-state.md), made by client-state.py.")
text = state.hex()
lines = [text[i:i + 96] for i in range(0, len(text), 96)]
print("state = " + "\n  ".join(lines))
