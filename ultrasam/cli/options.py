"""Options that training and testing share, named as MMDetection names them."""

from __future__ import annotations

import argparse
import ast
from typing import Any


class DictAction(argparse.Action):
    """``key.sub=value`` pairs; a value is a Python literal, or text where it is none."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Collect the pairs of one use of the option."""
        options = dict(getattr(namespace, self.dest) or {})
        for pair in values:
            key, found, value = pair.partition("=")
            if not found:
                parser.error(f"{option_string} takes KEY=VALUE, got '{pair}'")
            options[key] = _literal(value)
        setattr(namespace, self.dest, options)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text, text))
    except (ValueError, SyntaxError):
        return text


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what both commands take."""
    parser.add_argument("config", help="configuration: a path, or a name that 'ultrasam configs' lists")
    parser.add_argument("--work-dir", help="folder for logs and checkpoints (work_dirs/<config>)")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="change the configuration, e.g. train_dataloader.batch_size=4",
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="how several processes were started; tools/dist_*.sh and slurm_*.sh set it",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
