#!/usr/bin/env python3
"""Makes vault-mail.txt beside this file without any code of Cella, after formats/vault-mail.md."""

import os
import struct

SENDER = bytes(range(32))
TOPIC, NEWS = b"survey", b"news"
U64, BE = "<Q", ">Q"


def u64(*values):
    return b"".join(struct.pack(U64, value) for value in values)


def part(number, rest=b""):
    return b"\x20" + SENDER + bytes([number]) + rest


# One sender of birth 5 with two topics: three requests of "survey" are done, the last with a stored reply; of
# three posts on "news" the first was collected, the second was sent.
reply = b"the reply"
body = b"third post"
entries = [
    ("state", b"\x01", b"\1" + u64(4, 9, 7, 1, 1, 256, 8)),
    ("fingerprint", b"\x02", b"\1" + bytes([0xaa]) * 32),
    ("heard", b"\x10" + struct.pack(BE, 9), b"\1" + SENDER),
    ("reply", b"\x11" + struct.pack(BE, 7), b"\1" + SENDER + TOPIC),
    ("sender", part(0), b"\1\3" + u64(5) + b"route of client\0" + u64(9) + struct.pack("<I", 2)
     + u64(3, 1, 2, 1 << 40, 512)),
    ("topic", part(1, TOPIC), b"\1\1\1" + u64(3) + bytes([0xbb]) * 16 + u64(7) + bytes([0xcc]) * 32 + reply),
    ("topic_in_session", part(1, b"other"), b"\1\0\2" + u64(1) + bytes([0xdd]) * 16 + u64(0)),
    ("posts", part(2, NEWS), b"\1" + u64(3)),
    ("post", part(3, struct.pack(BE, 3)), b"\1" + u64(2, (1 << 40) + 6) + bytes([len(NEWS)]) + NEWS + body),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vault-mail.txt"), "w", encoding="ascii") as file:
    file.write("# The worked example of formats/vault-mail.md, made by vault-mail.py.\n")
    for name, key, value in entries:
        file.write("%s_key = %s\n%s_value = %s\n" % (name, key.hex(), name, value.hex()))
