#!/usr/bin/env python3
"""Makes statement.txt beside this file without any code of Cella, after formats/statement.md."""

import hashlib
import os
import struct


def field(number, value):
    return struct.pack("<HH", number, len(value)) + value


statement = b"CIST" + struct.pack("<H", 1)
statement += field(1, b"\1" * 32) + field(2, b"\2" * 32) + field(3, struct.pack("<I", 3) + b"\3" * 32)
statement += field(4, b"\4" * 96)
statement += field(5, b"\5" * 32 + struct.pack("<Q", 5)) + field(6, b"\6" * 32 + b"\2") + field(7, b"\2")
first = hashlib.sha256(statement).digest()
fields = [("statement", statement), ("report_data", first + bytes(32)),
          ("report_data_with_nonce", first + hashlib.sha256(b"\7" * 32).digest())]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "statement.txt"), "w", encoding="ascii") as file:
    file.write("# The worked example of formats/statement.md, made by statement.py.\n")
    for name, value in fields:
        file.write("%s = %s\n" % (name, value.hex()))
