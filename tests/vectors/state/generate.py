#!/usr/bin/env python3
"""Writes example.txt: the worked examples of formats/head.md, genesis.md, restore.md, history.md, fork-evidence.md and
context.md, made without any code of Cella.

Ed25519 is written out here from RFC 8032 and the history tree from the definitions of RFC 9162, slowly and for reading.
Run it in this folder; the unit tests compare what Cella makes with the file byte for byte.
"""
import hashlib
import struct


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Ed25519, RFC 8032, section 5.1 ---
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point_add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_mul(s, point):
    result = (0, 1, 1, 0)
    while s:
        if s & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        s >>= 1
    return result


def recover_x(y):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if x % 2 == 0 else P - x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y), BASE_Y, 1, recover_x(BASE_Y) * BASE_Y % P)


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return a & (1 << 254) - 8 | 1 << 254, h[32:]


def public_key(seed):
    return compress(point_mul(expand(seed)[0], BASE))


def sign(seed, message):
    a, prefix = expand(seed)
    key = public_key(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    big_r = compress(point_mul(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + key + message).digest(), "little") % L
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


# --- the history tree, RFC 9162, sections 2.1.1 and 2.1.4.1 ---
def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    k = split(len(leaves))
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:]))


def subproof(m, leaves, whole):
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return subproof(m, leaves[:k], whole) + [mth(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [mth(leaves[:k])]


def proof(m, leaves):
    """The RFC's, and in front of it the root of the first m leaves where the RFC leaves it out."""
    nodes = subproof(m, leaves, True)
    return ([mth(leaves[:m])] if m & (m - 1) == 0 else []) + nodes


def history_file(leaves):
    """Every complete subtree, when its last leaf comes; the smaller ones first."""
    nodes = []
    for end in range(1, len(leaves) + 1):
        size = 1
        while end % size == 0:
            nodes.append(mth(leaves[end - size : end]))
            size *= 2
    return b"".join(nodes)


# --- the formats ---
def sized(data):
    return struct.pack("<I", len(data)) + data


def genesis(random, signing_key, policy, owners, threshold):
    return (
        struct.pack("<4sHBx", b"CVGN", 1, 1)
        + random
        + signing_key
        + bytes(32)
        + policy
        + struct.pack("<BB2x", len(owners), threshold)
        + b"".join(sorted(owners))
    )


def signed_head(seed, vault_id, lineage, epoch, version, digest, start, root):
    fields = (
        struct.pack("<4sH2x", b"CVHD", 1)
        + vault_id
        + struct.pack("<QQQ", lineage, epoch, version)
        + digest
        + start
        + root
    )
    return fields + sign(seed, b"cella/vault/head/1\0" + fields)


def restore(seeds, vault_id, lineage, head, root, lost_to, greatest_epoch, time, reason):
    epoch, version, digest = head
    fields = (
        struct.pack("<4sH2x", b"CVRS", 1)
        + vault_id
        + struct.pack("<QQQ", lineage, epoch, version)
        + digest
        + root
        + struct.pack("<QQqB", lost_to, greatest_epoch, time, len(reason))
        + reason
    )
    signatures = sorted((public_key(seed), sign(seed, b"cella/vault/restore/1\0" + fields)) for seed in seeds)
    return fields + bytes([len(signatures)]) + b"".join(key + signature for key, signature in signatures)


def evidence(reason, genesis_bytes, first, second, rest):
    return struct.pack("<4sHBx", b"CVFE", 1, reason) + sized(genesis_bytes) + first + second + rest


def client_context(collected, heads):
    return struct.pack("<4sHBxQ", b"CVCC", 1, len(heads), collected) + b"".join(heads)


def vault_context(head, proof_from, nodes, restores, doubts=()):
    flags = (1 if nodes else 0) | (2 if doubts else 0)
    out = struct.pack("<4sHBB", b"CVVC", 1, flags, len(restores)) + head
    if nodes:
        out += struct.pack("<Q", proof_from) + sized(b"".join(nodes))
    out += b"".join(sized(restore_bytes) for restore_bytes in restores)
    return out + (sha256(b"".join(doubts)) if doubts else b"")


# --- the example: a vault of 7 records, a copy of it that went another way after record 4, and a restore to there ---
VAULT_SEED = b"\x01" * 32
OWNER_SEEDS = [b"\x02" * 32, b"\x03" * 32]


def records(name, count, shared=()):
    return list(shared) + [sha256(b"%s %d" % (name, i)) for i in range(len(shared) + 1, count + 1)]


def main():
    one = records(b"record", 7)
    other = records(b"copied record", 6, one[:4])
    restored = records(b"restored record", 9, one[:4])
    gen = genesis(b"\x11" * 32, public_key(VAULT_SEED), b"\x22" * 32, [public_key(s) for s in OWNER_SEEDS], 2)
    vault_id = sha256(gen)

    def head(leaves, version, epoch, start, lineage=0):
        return signed_head(
            VAULT_SEED, vault_id, lineage, epoch, version, leaves[version - 1], leaves[start - 1], mth(leaves[:version])
        )

    # Record 1 is the intent of epoch 1, record 2 begins it. So do records 5 and 6 with epoch 2, in each copy others: the
    # machine was set back, too. After the restore they begin epoch 3, and record 7 says what was restored.
    three, seven, six = head(one, 3, 1, 1), head(one, 7, 2, 5), head(other, 6, 2, 5)
    five = head(one, 5, 1, 1)
    nine = head(restored, 9, 3, 5, 1)
    back = restore(OWNER_SEEDS, vault_id, 1, (1, 4, one[3]), mth(one[:4]), 7, 2, 1700000000, b"the disk was lost")
    testimony = sign(VAULT_SEED, b"cella/vault/fork/1\0" + three + seven)
    fields = [
        ("records", b"".join(one)),
        ("copied_records", b"".join(other)),
        ("restored_records", b"".join(restored)),
        ("history_file", history_file(one)),
        ("root_3", mth(one[:3])),
        ("root_7", mth(one)),
        ("proof_3_7", b"".join(proof(3, one))),
        ("proof_4_7", b"".join(proof(4, one))),
        ("frontier_7", mth(one[:4]) + mth(one[4:6]) + mth(one[6:7])),
        ("genesis", gen),
        ("vault_id", vault_id),
        ("head_3", three),
        ("head_5", five),
        ("head_7", seven),
        ("copied_head_6", six),
        ("restored_head_9", nine),
        ("restore", back),
        ("evidence_by_heads", evidence(1, gen, six, seven, b"")),
        ("evidence_by_proof", evidence(2, gen, five, six, sized(b"".join(proof(5, other))))),
        ("evidence_by_testimony", evidence(3, gen, three, seven, testimony)),
        ("client_context", client_context(12, [five])),
        ("client_context_doubt", client_context(0, [seven, five])),
        ("client_context_first", client_context(0, [])),
        ("vault_context", vault_context(seven, 3, proof(3, one), [])),
        ("vault_context_restored", vault_context(nine, 4, proof(4, restored), [back])),
        ("vault_context_settled", vault_context(seven, 0, [], [], [five])),
        ("vault_context_post", vault_context(seven, 0, [], [])),
    ]
    with open("example.txt", "w", encoding="ascii") as file:
        file.write("# The worked examples of the formats of vaults. Written by generate.py.\n")
        for name, value in fields:
            file.write(f"{name} = {value.hex()}\n")


if __name__ == "__main__":
    main()
