#!/usr/bin/env python3
"""Holds the table of docs/vault-attacks.md against the attack tests: each test has a row, each row a test."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
tests = set()
for path in sorted((root / "tests/attack").glob("test_vault_*.c")):
    tests |= set(re.findall(r"\bTEST\((\w+)\)", path.read_text())) - {"name"}
rows = set(re.findall(r"`([a-z0-9_]{20,})`", (root / "docs/vault-attacks.md").read_text()))
for name in sorted(tests - rows):
    print(f"docs/vault-attacks.md lacks the test {name}")
for name in sorted(rows - tests):
    print(f"docs/vault-attacks.md names {name}, and there is no such test")
if not tests:
    print("no tests were found")
sys.exit(0 if tests and tests == rows else 1)
