#!/usr/bin/env python3
"""Compiles every C program that a page of docs/ shows. usage: check_code.py COMPILER"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
count = failures = 0
for page in sorted((root / "docs").glob("*.md")):
    for code in re.findall(r"^```c\n(.*?)^```", page.read_text(), re.S | re.M):
        count += 1
        command = [sys.argv[1], "-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Wno-unused-parameter", "-Werror"]
        command += ["-fsyntax-only", "-I", str(root / "include"), "-x", "c", "-"]
        if subprocess.run(command, input=code, text=True, check=False).returncode != 0:
            print(f"the code of {page.name} does not compile")
            failures += 1
if count == 0:
    print("no code was found")
sys.exit(1 if failures or count == 0 else 0)
