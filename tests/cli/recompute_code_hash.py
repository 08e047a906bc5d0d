#!/usr/bin/env python3
"""Recomputes an image's code hash (MRENCLAVE) from the output of `cella image pages --json --data`.

Uses nothing of Cella: only the measured operations as the Intel SDM (volume 3D: ECREATE, EADD, EEXTEND) describes
them, and the hash function of Python's library. formats/measurement.md describes the same in words.

usage: recompute_code_hash.py PAGES.json PAGES.data
"""

import hashlib
import json
import struct
import sys

PAGE = 4096
PERMISSION_BITS = {"r": 1, "w": 2, "x": 4}
TYPE_BITS = {"TCS": 0x100, "REG": 0x200}


def secinfo_flags(page):
    """SECINFO.FLAGS from the words of the listing, not from its own number."""
    flags = TYPE_BITS[page["type"]]
    for letter in page["permissions"].replace("-", ""):
        flags |= PERMISSION_BITS[letter]
    if flags != page["secinfo_flags"]:
        raise SystemExit("the listing contradicts itself at page %d" % page["order"])
    return flags


def recompute(listing, data):
    digest = hashlib.sha256()
    digest.update(struct.pack("<8sIQ44x", b"ECREATE", listing["ssa_frame_size"], listing["size"]))
    at = 0
    previous = -1
    for order, page in enumerate(listing["pages"]):
        if page["order"] != order or page["offset"] <= previous:
            raise SystemExit("the listing is out of order at page %d" % order)
        previous = page["offset"]
        digest.update(struct.pack("<8sQQ40x", b"EADD", page["offset"], secinfo_flags(page)))
        if not page["extended"]:
            continue
        content = data[at : at + PAGE]
        at += PAGE
        for chunk in range(0, PAGE, 256):
            digest.update(struct.pack("<8sQ48x", b"EEXTEND", page["offset"] + chunk))
            digest.update(content[chunk : chunk + 256])
    if at != len(data):
        raise SystemExit("the data has %d bytes, the listing needs %d" % (len(data), at))
    return digest.hexdigest()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        listing = json.load(file)
    with open(sys.argv[2], "rb") as file:
        data = file.read()
    print(recompute(listing, data))


if __name__ == "__main__":
    main()
