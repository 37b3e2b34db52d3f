"""`python -m tests.generated [examples] [seed] [--linear]`: draw networks, hold the laws, report what was hit and what broke."""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from tests.generated.drawing import REGISTRY, TALLY
from tests.generated.laws import hold
from tests.generated.networks import network

T = TypeVar("T")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=int, nargs="?", default=200)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--linear", action="store_true", help="of piecewise linear pieces only")
    parser.add_argument("--pieces", type=int, default=3, help="at most so many in a network")
    parser.add_argument("--only", help="networks with a piece or option of this text")
    arguments = parser.parse_args()
    broken: Counter[str] = Counter()
    for number in range(arguments.seed, arguments.seed + arguments.examples):
        chance = random.Random(number)

        def choose(options: Sequence[T], chance: random.Random = chance) -> T:
            return chance.choice(list(options))

        linear = arguments.linear or chance.random() < 0.5
        # Each kind has its turn to come first, whatever dimensions it needs.
        kinds = [kind.name for kind in REGISTRY.values() if kind.linear or not linear]
        first = kinds[number % len(kinds)]
        found = network(choose, chance.randint(1, arguments.pieces), linear=linear, first=first)
        if arguments.only and not any(arguments.only in " ".join(entry) for entry in found.chosen):
            continue
        try:
            refused = None
            refused = hold(found)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:300]}"
            broken[said[:60]] += 1
            print(f"--- {number}: {said}\n    at {where.filename.split('/')[-1]}:{where.lineno}")
            print("    of", "; ".join(f"{n}.{o}={v}" if o else n for n, o, v in found.chosen), flush=True)
        TALLY.add(found.chosen, refused)
    print(TALLY.report())
    print(f"{sum(broken.values())} networks broke a law")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
