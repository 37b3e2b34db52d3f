"""Every method on small random vision models of transformers, wrapped or bare: what passes, what is refused and why, what fails.

python -m tests.benchmarks hub
python -m tests.benchmarks.hub --log hub.jsonl detr swin
python -m tests.benchmarks.hub --log bare.jsonl --bare         # the model as it comes, with output=function of what it returns
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks.families import OutOfTime, read, time_limit
from tests.families import Outcome, attempt
from tests.hub import MODELS, built


def main(arguments: list[str] | None = None) -> int:
    """Try what the log does not have yet, and those named; then print how many passed and each that did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hub", description=__doc__)
    parser.add_argument("names", nargs="*", help="models of tests/hub.py; default: all")
    parser.add_argument("--log", type=Path, default=Path("hub.jsonl"))
    parser.add_argument("--limit", type=int, default=180, help="seconds a model")
    parser.add_argument("--bare", action="store_true", help="without a wrapper")
    options = parser.parse_args(arguments or [])
    done = read(options.log)
    for name in options.names or [name for name in MODELS if name not in done]:
        try:
            with time_limit(options.limit):
                tiny = MODELS[name]
                outcome = attempt(name, *built(tiny, options.bare), output=tiny.scores if options.bare else None)
        except OutOfTime as error:
            outcome = Outcome(name, "fail", "time", str(error))
        with options.log.open("a") as log:
            log.write(json.dumps({"family": "transformers", **outcome.line()}, ensure_ascii=False) + "\n")
        print(f"{name:24s} {outcome.status:8s} {outcome.step:8s} {outcome.said[:160]}", flush=True)
    done = read(options.log)
    passed = sum(line["status"] == "pass" for line in done.values())
    print(f"\n{passed} of {len(done)} pass")
    for line in done.values():
        if line["status"] != "pass":
            print(f"- {line['name']}: {line['status']} at {line['step']}: {line['said'][:300]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
