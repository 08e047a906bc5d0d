"""What segments and snapshots have in common, for the scripts beside it: keys, clear headers, size classes.

Written from formats/journal.md, without any code of Cella. Needs the Python package cryptography.
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def example(name):
    return hashlib.sha256(b"cella state example: " + name.encode()).digest()


def hkdf(salt, secret, info):
    """RFC 5869, one block."""
    prk = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def seal(key, number, ad, plain):
    return AESGCM(key).encrypt(struct.pack("<QI", number, 0), plain, ad)


def size_class(size):
    step = 512
    while step * 16 < size:
        step *= 2
    return -(-size // step) * step


def clear_header(magic, vault_id, salt, key_info, own, key):
    header = magic + struct.pack("<HH", 1, 0) + vault_id + salt
    header += struct.pack("<II", len(key_info), 0) + key_info.ljust(256, b"\0") + own
    header = header.ljust(960, b"\0")
    header += seal(key, 0, header, b"")
    header = header.ljust(992, b"\0")
    return header + hashlib.sha256(header).digest()


def write(name, title, fields):
    with open(name, "w") as out:
        out.write(f"# {title}; do not edit.\n")
        for field, value in fields:
            out.write(f"{field} = {value.hex()}\n")
