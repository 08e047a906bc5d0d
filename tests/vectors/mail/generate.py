#!/usr/bin/env python3
"""Writes example.txt: the worked example of formats/mail.md, made without any code of Cella.

Everything down to AES and the curve is written out here from the standards, slowly and for reading. Run it in this
folder; the unit test compares what Cella makes with the file byte for byte.
"""
import hashlib
import hmac
import struct

# --- X25519, RFC 7748 ---
P = 2**255 - 19


def x25519(private, public):
    k = bytearray(private)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1 = int.from_bytes(public, "little") % 2**255
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in reversed(range(255)):
        bit = k >> t & 1
        if bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
        if bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(private):
    return x25519(private, (9).to_bytes(32, "little"))


# --- AES-256 (FIPS 197) and GCM (SP 800-38D) ---
def gmul(a, b):
    r = 0
    while b:
        r ^= a if b & 1 else 0
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return r


def make_sbox():
    box = []
    for x in range(256):
        inverse = next((y for y in range(256) if gmul(x, y) == 1), 0)
        rotated = inverse
        value = inverse
        for _ in range(4):
            rotated = (rotated << 1 | rotated >> 7) & 255
            value ^= rotated
        box.append(value ^ 0x63)
    return box


SBOX = make_sbox()


def expand(key):
    words = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        word = list(words[-1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = gmul(rcon, 2)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[-8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number in range(1, 15):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column:column + 4]
                mixed += [gmul(c[i], 2) ^ gmul(c[(i + 1) % 4], 3) ^ c[(i + 2) % 4] ^ c[(i + 3) % 4] for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[number])]
    return bytes(state)


def ghash(h, data):
    h, y = int.from_bytes(h, "big"), 0
    for i in range(0, len(data), 16):
        y ^= int.from_bytes(data[i:i + 16], "big")
        z, v = 0, h
        for bit in range(127, -1, -1):
            z ^= v if y >> bit & 1 else 0
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y.to_bytes(16, "big")


def pad16(data):
    return data + bytes(-len(data) % 16)


def seal(key, n, ad, plain):
    keys = expand(key)
    nonce = bytes(4) + struct.pack(">Q", n)
    out = b""
    for i in range(0, len(plain), 16):
        stream = encrypt_block(keys, nonce + struct.pack(">I", 2 + i // 16))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    lengths = struct.pack(">QQ", 8 * len(ad), 8 * len(out))
    s = ghash(encrypt_block(keys, bytes(16)), pad16(ad) + pad16(out) + lengths)
    mask = encrypt_block(keys, nonce + struct.pack(">I", 1))
    return out + bytes(a ^ b for a, b in zip(s, mask))


# --- Noise revision 34 ---
def hkdf(ck, material):
    temp = hmac.digest(ck, material, "sha256")
    one = hmac.digest(temp, b"\x01", "sha256")
    return one, hmac.digest(temp, one + b"\x02", "sha256")


class Symmetric:
    def __init__(self, name, prologue, rs):
        self.h = self.ck = name.ljust(32, b"\0")
        self.k, self.n = None, 0
        self.mix_hash(prologue)
        self.mix_hash(rs)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, material):
        self.ck, self.k = hkdf(self.ck, material)
        self.n = 0

    def encrypt_and_hash(self, plain):
        sealed = seal(self.k, self.n, self.h, plain)
        self.n += 1
        self.mix_hash(sealed)
        return sealed

    def split(self):
        return hkdf(self.ck, b"")


def first_message(symmetric, e, s, rs, payload):
    """e, es, s, ss: the only message of X and the first of IK."""
    symmetric.mix_hash(public(e))
    symmetric.mix_key(x25519(e, rs))
    out = public(e) + symmetric.encrypt_and_hash(public(s))
    symmetric.mix_key(x25519(s, rs))
    return out + symmetric.encrypt_and_hash(payload)


def second_message(symmetric, e, re, rs):
    """e, ee, se: the second message of IK, with no payload."""
    symmetric.mix_hash(public(e))
    symmetric.mix_key(x25519(e, re))
    symmetric.mix_key(x25519(e, rs))
    return public(e) + symmetric.encrypt_and_hash(b"")


# --- mail ---
ONE_SHOT, OPEN, ACCEPT, SESSION = 1, 2, 3, 4
REQUEST, REPLY, POST = 1, 2, 4
LAST = 1 << 31
PACKET = 32768


def header(kind, role, session_id, topic, padding=1, number=0, answers=0, generation=0, sequence=0, birth=0,
           context=b"", envelope=b""):
    fixed = struct.pack("<4sHBBBBHI16sQQQQQ", b"CLML", 1, kind, role, padding, len(topic), len(context), len(envelope),
                        session_id, number, answers, generation, sequence, birth)
    return fixed + topic + context + envelope


def stream(body, padding=1):
    size = len(body) + 8
    if padding:
        if size <= 256:
            size = 256
        else:
            exponent = size.bit_length() - 1
            step = 1 << (exponent - exponent.bit_length())
            size = (size + step - 1) // step * step
    return body.ljust(size - 8, b"\0") + struct.pack("<Q", len(body))


def packets(key, number, head, plain, first=0):
    out = b""
    parts = [plain[i:i + PACKET] for i in range(0, len(plain), PACKET)]
    for i, part in enumerate(parts):
        frame = struct.pack("<I", len(part) + 16 | (LAST if i == len(parts) - 1 else 0))
        ad = (head if first + i == 0 else b"") + frame
        out += frame + seal(key, number << 20 | first + i, ad, part)
    return out


def handshake_mail(name, head, e, s, rs, plain):
    last = len(plain) <= PACKET
    frame = struct.pack("<I", len(plain[:PACKET]) + 96 | (LAST if last else 0))
    symmetric = Symmetric(name, head + frame, rs)
    out = head + frame + first_message(symmetric, e, s, rs, plain[:PACKET])
    if not last:
        out += packets(symmetric.split()[0], 0, b"", plain[PACKET:], first=1)
    return out, symmetric


def key(text):
    return hashlib.sha256(b"cella mail example: " + text).digest()


def main():
    client, enclave, client_e, enclave_e = key(b"client"), key(b"enclave"), key(b"client e"), key(b"enclave e")
    session_id = key(b"session")[:16]
    one_shot_body, open_body, reply_body = b"one-shot: 61,395 rows", b"how many rows?", b"61395"
    request_body, post_body = bytes(range(256)) * 130, b"the result is ready"
    answer_body = b""
    envelope, context = b"csv", b"head 7"

    one_shot, _ = handshake_mail(b"Noise_X_25519_AESGCM_SHA256",
                                 header(ONE_SHOT, REQUEST, session_id, b"survey", envelope=envelope, context=context),
                                 client_e, client, public(enclave), stream(one_shot_body))
    opening, symmetric = handshake_mail(b"Noise_IK_25519_AESGCM_SHA256",
                                        header(OPEN, REQUEST, session_id, b"survey", sequence=1, context=context),
                                        client_e, client, public(enclave), stream(open_body))
    message = second_message(symmetric, enclave_e, public(client_e), public(client))
    to_enclave, to_client = symmetric.split()
    head = header(ACCEPT, REPLY, session_id, b"survey", sequence=1, birth=2) + message
    accept = head + packets(to_client, 0, head, stream(reply_body))
    head = header(SESSION, REQUEST, session_id, b"survey", number=1, sequence=2, context=context)
    request = head + packets(to_enclave, 1, head, stream(request_body))
    head = header(SESSION, REPLY, session_id, b"survey", number=1, answers=1, sequence=2, birth=2)
    reply = head + packets(to_client, 1, head, stream(answer_body))
    head = header(SESSION, POST, session_id, b"news", number=2, birth=2)
    post = head + packets(to_client, 2, head, stream(post_body))

    fields = [("client_private", client), ("enclave_private", enclave), ("client_ephemeral", client_e),
              ("enclave_ephemeral", enclave_e), ("session_id", session_id), ("envelope", envelope),
              ("context", context), ("one_shot_body", one_shot_body), ("one_shot", one_shot), ("open_body", open_body),
              ("open", opening), ("accept_body", reply_body), ("accept", accept), ("to_enclave", to_enclave),
              ("to_client", to_client), ("request_body", request_body), ("request", request),
              ("reply_body", answer_body), ("reply", reply), ("post_body", post_body), ("post", post)]
    with open("example.txt", "w", encoding="ascii") as out:
        out.write("# The worked example of formats/mail.md. Written by generate.py; do not edit.\n")
        for name, value in fields:
            text = value.hex()
            lines = [text[i:i + 96] for i in range(0, len(text), 96)] or [""]
            out.write(name + " = " + "\n  ".join(lines) + "\n")


main()
