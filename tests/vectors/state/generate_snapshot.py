#!/usr/bin/env python3
"""Writes snapshot.txt: the worked example of formats/snapshot.md. Run it in this folder."""
import hashlib
import struct

from sealed import clear_header, example, hkdf, seal, size_class, write

CHUNK = 256 * 1024
root_key = example("root key")
vault_id = example("vault id")
salt = example("snapshot salt")
key_info = b"an example's key"
lineage, epoch, version = 1, 3, 43
head_digest = example("head 43")
frontier = b"".join(example(f"frontier {i}") for i in range(bin(version).count("1")))

key = hkdf(salt, root_key, b"cella snapshot" + vault_id + struct.pack("<QQQ", lineage, epoch, version))
header = clear_header(b"CLSN", vault_id, salt, key_info, struct.pack("<QQQ", lineage, epoch, version), key)


def snapshot(entries):
    """The whole file, and the digest by which a record names it."""
    stream = head_digest + struct.pack("<I", len(frontier)) + frontier
    for name, value in sorted(entries.items()):
        stream += struct.pack("<HI", len(name), len(value)) + name + value
    stream += struct.pack("<HQQ", 0, len(entries), sum(len(n) + len(v) for n, v in entries.items()))
    file = header
    digest = hashlib.sha256(header)
    number = 1
    while stream:
        part, stream = stream[:CHUNK - 20], stream[CHUNK - 20:]
        size = CHUNK if stream else size_class(len(part) + 20)
        frame = struct.pack("<I", size | (0 if stream else 1 << 31))
        chunk = frame + seal(key, number, header[-32:] + frame, part.ljust(size - 20, b"\0"))
        digest.update(frame + chunk[-16:])
        file += chunk
        number += 1
    return file, digest.digest()


small, small_digest = snapshot({b"\x02account/alice": b"100", b"\x00signing": example("seed"), b"\x02empty": b""})
large = {b"\x02" + struct.pack(">I", i): bytes((i + j) % 251 for j in range(i % 500)) for i in range(3000)}
large[b"\x02z"] = bytes(i % 251 for i in range(700000))
large_file, large_digest = snapshot(large)
write("snapshot.txt", "The worked example of formats/snapshot.md, by generate_snapshot.py", [
    ("root_key", root_key), ("vault_id", vault_id), ("salt", salt), ("key_info", key_info),
    ("head_digest", head_digest), ("frontier", frontier), ("snapshot_key", key), ("signing", example("seed")),
    ("file", small), ("digest", small_digest),
    ("large_size", struct.pack("<Q", len(large_file))), ("large_sha256", hashlib.sha256(large_file).digest()),
    ("large_digest", large_digest)])
