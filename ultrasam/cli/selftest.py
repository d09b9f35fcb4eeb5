"""``ultrasam selftest``."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("selftest", help="check this machine and this installation")
    parser.add_argument(
        "--variants", nargs="+", default=["vit_t", "vit_s", "vit_b"], metavar="NAME", help="models to check"
    )
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda, mps")
    parser.add_argument("--no-numbers", action="store_true", help="only look at the installation")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 when numbers are wrong."""
    from ultrasam.machine import doctor, selftest
    from ultrasam.predict.torch_engine import available

    for finding in doctor.examine():
        print(finding)
    if args.no_numbers:
        return 0
    checks = selftest.run(args.variants, str(available(args.device)))
    for check in checks:
        print(f"  {check}")
    wrong = [check for check in checks if check.error > selftest.TOLERANCE]
    if wrong:
        print("! the numbers are wrong: report it with this output; try --device cpu, another torch")
    return 1 if wrong else 0
