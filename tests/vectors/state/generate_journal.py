#!/usr/bin/env python3
"""Writes journal.txt: the worked example of formats/journal.md. Run it in this folder."""
import hashlib
import struct

from sealed import clear_header, example, hkdf, seal, size_class, write

root_key = example("root key")
vault_id = example("vault id")
salt = example("salt")
key_info = b"an example's key"
lineage, epoch, number = 1, 3, 7
head = (2, 40, example("head 40"))

key = hkdf(salt, root_key, b"cella journal segment" + vault_id + struct.pack("<QQ", epoch, number))
own = struct.pack("<QQQQQ", lineage, epoch, number, head[0], head[1]) + head[2]
header = clear_header(b"CLVS", vault_id, salt, key_info, own, key)
header_digest = header[-32:]
offset = len(header)


def record(kind, epoch, content):
    """Seals the next record and moves head and offset."""
    global head, offset
    size = size_class(96 + 8 + len(content) + 16)
    clear = b"CLVR" + struct.pack("<I", size) + header_digest[:16] + struct.pack("<B7x", kind)
    clear += struct.pack("<QQQ", epoch, head[1] + 1, offset) + head[2] + bytes(8)
    plain = (struct.pack("<Q", len(content)) + content).ljust(size - 96 - 16, b"\0")
    sealed = clear + seal(key, head[1] + 1, header_digest + clear, plain)
    assert len(sealed) == size
    head = (epoch, head[1] + 1, hashlib.sha256(b"cella journal record" + head[2] + sealed).digest())
    offset += size
    return sealed


def put(key, value):
    return struct.pack("<BHI", 1, len(key), len(value)) + key + value


def delete(key):
    return struct.pack("<BH", 2, len(key)) + key


contents = [
    (2, 2, struct.pack("<Q", 3)),
    (3, 3, struct.pack("<Q", 3)),
    (1, 3, put(b"\x02account/alice", b"100") + delete(b"\x02account/bob") + put(b"\x02empty", b"")),
    (1, 3, put(b"\x02blob", bytes(i % 251 for i in range(9000)))),
]
fields = [("root_key", root_key), ("vault_id", vault_id), ("salt", salt), ("key_info", key_info),
          ("after_digest", head[2]), ("segment_key", key), ("header", header)]
for index, (kind, record_epoch, content) in enumerate(contents, 1):
    fields.append((f"content_{index}", content))
    fields.append((f"record_{index}", record(kind, record_epoch, content)))
    fields.append((f"digest_{index}", head[2]))
write("journal.txt", "The worked example of formats/journal.md, by generate_journal.py", fields)
