"""Options that commands share: one name for one thing, MMDetection's where it has one."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.errors import DataError

if TYPE_CHECKING:
    from ultrasam.data.spread import AnyWorkers


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


class Renamed(argparse.Action):
    """An option under its name of an earlier version: it still works, and says what it is called now."""

    def __init__(self, option_strings: Any, dest: str, new: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, help=argparse.SUPPRESS, **kwargs)
        self.new = new

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Take the value and warn."""
        print(f"ultrasam: {option_string} is called {self.new} now; it goes away in 0.3", file=sys.stderr)
        setattr(namespace, self.dest, values)


#: What is taken wherever weights are named.
WEIGHTS = "a weight file of any kind, or a name: ultrasam, sam_vit_b, ..."

#: What is taken wherever labels are named.
LABELS = "labels: COCO, labelme, YOLO, VIA, Label Studio, CVAT, or a folder of masks"


def add_weights(
    parser: argparse._ActionsContainer, option: str, note: str, *, renamed: str = "", **kwargs: Any
) -> None:
    """Add the option for a weight file: ``--checkpoint`` of the model used, ``--from`` of training's start.

    Args:
        parser: gets it as ``checkpoint`` or ``start``.
        option: its name.
        note: what is done with it, and its default.
        renamed: its name in earlier versions, which still works.
        kwargs: of ``add_argument``.
    """
    dest = {"--checkpoint": "checkpoint", "--from": "start"}[option]
    parser.add_argument(option, dest=dest, metavar="FILE", help=f"{note}: {WEIGHTS}", **kwargs)
    if renamed:
        parser.add_argument(renamed, dest=dest, action=Renamed, new=option, **kwargs)


def add_engine(parser: argparse._ActionsContainer) -> None:
    """Add ``--engine`` of a predictor."""
    parser.add_argument(
        "--engine",
        choices=("auto", "torch", "onnx"),
        default="auto",
        help="what runs the model: PyTorch, or onnxruntime, which needs the weights' ONNX files (auto: the "
        "quicker one of those that are installed)",
    )


def add_workers(parser: argparse._ActionsContainer) -> None:
    """Add ``--workers`` and ``--executor``, which `workers_of` reads."""
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes, or jobs of SLURM at once (1); the result does not depend on it",
    )
    add_executor(parser, "processes")


def add_executor(parser: argparse._ActionsContainer, default: str | None) -> None:
    """Add ``--executor``; with a ``--workers`` of its own, a command can do without one."""
    parser.add_argument(
        "--executor",
        default=default,
        metavar="WHERE",
        help="where workers run: processes of this machine, dask://HOST:PORT, slurm[:KEY=VALUE,...] with "
        "options of submitit such as partition=cpu,time=120, or submitit-local",
    )


def workers_of(args: argparse.Namespace) -> AnyWorkers:
    """What `add_workers` was given."""
    from ultrasam.data.spread import from_option

    return from_option(args.executor, args.workers, args.out)


def add_host(parser: argparse._ActionsContainer) -> None:
    """Add ``--host`` of a local server."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; others than 127.0.0.1 open it to the network",
    )


def seed(text: str) -> int:
    """A seed that every generator of random numbers takes: a whole number of 32 bits."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**32 - 1}, not {text}")
    return number


def workers(text: str) -> int:
    """A number of threads that work side by side."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def add_config(parser: argparse.ArgumentParser, help: str = "") -> None:
    """Add the configuration and its changes."""
    parser.add_argument(
        "config", help=help or "configuration: a path, or a name that 'ultrasam configs' lists"
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="change the configuration, e.g. train_dataloader.batch_size=4",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add what training and testing take."""
    add_config(parser)
    parser.add_argument("--work-dir", help="folder for logs and checkpoints (work_dirs/<config>)")
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="how several processes were started; tools/dist_*.sh and slurm_*.sh set it",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def set_local_rank(args: argparse.Namespace) -> None:
    """Older launchers tell a process its place by an option, newer ones by the environment."""
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))


def make_folder(path: Path) -> None:
    """Make the folder that --out names, before the work whose results go there.

    Raises:
        DataError: it cannot be made, and why not.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}; choose another --out") from error


def labels_as_coco(source: Path, images: Path | None, out: Path, name: str = "") -> tuple[Path, Path]:
    """Labels of any known format as a COCO file and an image folder; says what was read.

    Args:
        source: file or folder.
        images: folder below which the images lie, or None.
        out: the command's output folder, which gets a COCO file made of other labels.
        name: of that file, where several labels have one name.
    """
    from ultrasam.data.formats.importing import as_coco

    coco, folder, said = as_coco(source, images, out, name)
    if said:
        print(said)
    return coco, folder
