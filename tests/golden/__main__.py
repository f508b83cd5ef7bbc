"""Write the digests that the files lack: python -m tests.golden [--overwrite].

A new program gets its digest, and operations that are in no graph yet get graphs. What is written
stays as it is, even where it is wrong: then nothing is written, and the exit status is 1. With
--overwrite all files are written anew, which says that the bits of every machine have changed.
"""

import argparse
import json
import sys

import micrograd_fast
import micrograd_ref

from .digests import PROGRAMS, computed, lists, path, read
from .graphs import OPERATIONS


def differences(standing, found):
    """What the files have and the packages do not give, a line each."""
    for name in PROGRAMS:
        for title, digest in standing[name].items():
            if found[name].get(title) != digest:
                yield f"{name}: {title}"
    for old, new in zip(standing["graphs"], found["graphs"], strict=False):
        for way in ("eager", "tape"):
            pairs = list(zip(old[way], new[way], strict=True))
            seeds = [seed for seed, (a, b) in enumerate(pairs) if a != b]
            if seeds:
                yield f"graphs, {way}: {len(seeds)} of {len(pairs)}, the first with seed {seeds[0]}"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--overwrite", action="store_true", help="write all files anew")
    options = parser.parse_args()

    known = [] if options.overwrite else lists()
    if not any(set(OPERATIONS) <= set(names) for names in known):
        known.append(OPERATIONS)
    found = computed(micrograd_ref, known)
    if computed(micrograd_fast, known) != found:
        sys.exit("the packages differ from each other: nothing is written")
    if not options.overwrite:
        different = list(differences({name: read(name) for name in found}, found))
        if different:
            sys.exit("\n".join(["these differ from what is written, and nothing is:", *different]))
    for name, digests in found.items():
        path(name).write_text(json.dumps(digests, indent=1) + "\n", encoding="ascii")
    print(f"complete: {', '.join(path(name).name for name in found)}")


if __name__ == "__main__":
    main()
