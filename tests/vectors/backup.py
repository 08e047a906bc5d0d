#!/usr/bin/env python3
"""Makes backup.tar, the worked example of formats/backup.md, with Python's own tar."""
import hashlib
import io
import tarfile

FILES = [
    ("genesis", bytes(range(140))),
    ("history", bytes(64)),
    ("snapshot-0000000000001811", b"snapshot" * 100),
    ("segment-0000000000000007", b"header" * 100 + b"record"),
]


def main():
    manifest = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in FILES + [("manifest", manifest.encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o600
            tar.addfile(info, io.BytesIO(data))
    # tarfile fills up to 20 blocks; the format ends with two.
    content = out.getvalue().rstrip(b"\0")
    size = (len(content) + 511) // 512 * 512
    with open("backup.tar", "wb") as file:
        file.write(content.ljust(size + 1024, b"\0"))


main()
