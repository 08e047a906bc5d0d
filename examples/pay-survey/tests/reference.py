#!/usr/bin/env python3
"""Independent numbers for the tests: every group of cps-earnings.csv, computed in exact fractions.

usage: reference.py cps-earnings.csv > expected.csv

Shares nothing with the enclave. Amounts are read to a millionth, half up. Prints the people of each party, then
quartiles, median and 90th percentile (linear interpolation at (n - 1) * q, rounded half up to 0.1), of all
groups, small ones too: which ones are published is not decided here.
"""
import csv
import sys
from fractions import Fraction
from itertools import product

EDUCATION = [("6-8", 6, 8), ("9-11", 9, 11), ("12", 12, 12), ("13-15", 13, 15), ("16-17", 16, 17), ("18-20", 18, 20)]
AGE = [("21-29", 21, 29), ("30-39", 30, 39), ("40-49", 40, 49), ("50-59", 50, 59), ("60-64", 60, 64)]
PARTIES = ["Northeast", "Midwest", "South", "West"]


def band(bands, value):
    return next(name for name, low, high in bands if low <= value <= high)


def millionth(text):
    return Fraction((Fraction(text) * 1000000 + Fraction(1, 2)).__floor__(), 1000000)


def quantile(pay, percent):
    position = Fraction((len(pay) - 1) * percent, 100)
    below = position.numerator // position.denominator
    above = min(below + 1, len(pay) - 1)
    value = pay[below] + (position - below) * (pay[above] - pay[below])
    tenths = (value * 10 + Fraction(1, 2)).__floor__()
    return f"{tenths // 10}.{tenths % 10}"


def main():
    with open(sys.argv[1], newline="") as file:
        people = [
            (band(EDUCATION, int(row["education"])), row["gender"], band(AGE, int(row["age"])),
             PARTIES.index(row["region"]), millionth(row["earnings"]))
            for row in csv.DictReader(file)
        ]
    print("education,gender,age,northeast,midwest,south,west,quartile_1,median,quartile_3,percentile_90")
    classes = [[b[0] for b in EDUCATION] + ["all"], ["male", "female", "all"], [b[0] for b in AGE] + ["all"]]
    for group in product(*classes):
        inside = [p for p in people if all(c in ("all", v) for c, v in zip(group, p[:3]))]
        pay = sorted(p[4] for p in inside)
        counts = [sum(1 for p in inside if p[3] == party) for party in range(4)]
        print(",".join([*group, *map(str, counts), *(quantile(pay, q) for q in (25, 50, 75, 90))]))


main()
