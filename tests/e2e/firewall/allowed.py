"""Compares differences with the allowed ones: allowed.py ALLOWED DIFFERENT.

ALLOWED: lines "PATTERN<tab>REASON", the pattern as of a shell. A difference that no pattern matches
and a pattern that matches nothing are both errors.
"""
import fnmatch
import sys


def main():
    with open(sys.argv[1]) as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    allowed = [line.split("\t")[0] for line in lines]
    used = set()
    failed = False
    with open(sys.argv[2]) as file:
        for line in file:
            name = line.split("\t")[0]
            found = [one for one in allowed if fnmatch.fnmatchcase(name, one)]
            used.update(found)
            if not found:
                print("differs:", line.rstrip("\n").replace("\t", " | "))
                failed = True
    for one in allowed:
        if one not in used:
            print("allowed, but it does not differ:", one)
            failed = True
    return 1 if failed else 0


sys.exit(main())
