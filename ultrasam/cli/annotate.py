"""``ultrasam annotate``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.cli.options import add_engine, add_host, add_weights, labels_as_coco

if TYPE_CHECKING:
    from ultrasam.annotate.session import Session
    from ultrasam.predict.detections import Proposer

_EXAMPLES = """examples:
  ultrasam annotate --demo                             simulated images, nothing needed
  ultrasam annotate images/ --classes lesion,vessel
  ultrasam annotate cine.dcm study/*.dcm --out study.json
  ultrasam annotate predictions.json --images images   correct the annotations of a COCO file
  ultrasam annotate images/ --suggest rtmdet_tiny.py epoch_300.pth      its boxes as prompts, masks to accept

then: ultrasam finetune images/labels.json --images images
"""
#: Images of --demo, and their side in pixels.
_DEMO_IMAGES, _DEMO_SIDE = 12, 512


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "annotate",
        help="label images, clips and DICOM in the browser: click and see",
        description=(
            "Opens a page of this machine on which images are labeled with the model's help, offline. "
            "What the page shows as saved is on the disk; started again, it goes on."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="images, folders, globs, DICOM, videos; or one label file"
    )
    parser.add_argument(
        "--demo", action="store_true", help="try it on simulated images in a temporary folder"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="COCO file of the labels (labels.json in the input's folder)"
    )
    parser.add_argument(
        "--classes", metavar="A,B", help="names of classes (those of the labels, or 'object')"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="the images of a COCO file (beside it)")
    add_weights(parser, "--checkpoint", "the model (small, which comes with the package)", default="small")
    add_engine(parser)
    parser.add_argument(
        "--suggest",
        nargs=2,
        metavar=("CONFIG", "CHECKPOINT"),
        help="a trained Mask2Former or detector of MMDetection, whose objects 'find everything' suggests",
    )
    parser.add_argument(
        "--suggest-score", type=float, default=0.3, help="leave out suggestions below it (0.3)"
    )
    parser.add_argument(
        "--window",
        metavar="LOW,HIGH",
        help="gray values shown as black and white, or 'minmax'; for deep images",
    )
    parser.add_argument(
        "--quality",
        action="store_true",
        help="show the IoU that is to be expected of each mask; a click takes about twice as long",
    )
    parser.add_argument("--cache", metavar="DIR", help="keep embeddings in this folder (the user's cache)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port of the page (one that is free, the same for the same inputs)",
    )
    add_host(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command until it is interrupted."""
    import contextlib
    import secrets
    import signal
    import sys
    import tempfile
    import webbrowser

    from ultrasam.annotate import server
    from ultrasam.machine import process
    from ultrasam.web import listening

    process.keep_memory()
    if args.port:
        listener = listening.listen(args.host, args.port)
    else:
        given = [*args.inputs, args.out or ""]
        listener = listening.listen_again(args.host, repr([str(Path(name).absolute()) for name in given]))
    with tempfile.TemporaryDirectory(prefix="ultrasam-demo-") as folder:
        if args.demo:
            _simulate(Path(folder))
            args.inputs, args.classes = [folder], args.classes or "cyst,tumour,nodule,vessel,chamber,head"
        session = _session(args)
        token = secrets.token_urlsafe(24)
        address = f"http://{listening.shown(args.host)}:{listener.getsockname()[1]}/?token={token}"
        if not listening.is_local(args.host):
            print(
                f"ultrasam: {args.host} opens the images to the network, unencrypted: whoever has the "
                "address with its token sees and changes everything",
                file=sys.stderr,
            )
        for notice in [*session.store.notices, session.store.conflict]:
            if notice:
                print(f"ultrasam: {notice}", file=sys.stderr)
        print(f"{len(session.items)} images; labels go to {session.out}")
        print(f"open {address}", flush=True)
        if not args.no_browser:
            webbrowser.open(address)
        # Both are the usual way to end; what is not in the file yet is written then.
        ended = process.on_sigterm(signal.default_int_handler)
        with ended, contextlib.suppress(KeyboardInterrupt), contextlib.closing(session):
            server.run(session, token, listener, args.host)
    print(f"labels are in {session.out}")
    if session.saver.left_out:
        print(f"left out: {session.saver.left_out} objects with an empty mask")
    return 0


def _session(args: argparse.Namespace) -> Session:
    from ultrasam.annotate.session import Session
    from ultrasam.checkpoints.places import cache_folder
    from ultrasam.cli.predict_choices import parse_window

    inputs, images, out = _labels(args)
    classes = [name.strip() for name in (args.classes or "").split(",") if name.strip()]
    return Session(
        inputs,
        out,
        classes=classes,
        model=args.checkpoint,
        engine=args.engine,
        images=images,
        window=parse_window(args.window),
        quality=args.quality,
        cache=args.cache or cache_folder() / "embeddings",
        proposer=_proposer(args.suggest, args.suggest_score) if args.suggest else None,
        title="demo" if args.demo else None,
    )


def _proposer(trained: Sequence[str], score: float) -> Proposer:
    from ultrasam.mm.engine.detecting import TrainedProposer

    config, checkpoint = trained
    return TrainedProposer.load(config, checkpoint, score)


def _labels(args: argparse.Namespace) -> tuple[list[str], Path | None, Path | None]:
    """The inputs, images and output; a label file of another tool becomes a COCO file first."""
    from ultrasam.data.formats.importing import is_coco_file

    source = Path(args.inputs[0]) if len(args.inputs) == 1 else Path()
    if source.suffix.lower() not in (".json", ".xml") or is_coco_file(source):
        return args.inputs, args.images, args.out
    out = args.out or source.with_name("labels.json")
    coco, images = labels_as_coco(source, args.images, out.parent)
    return [str(coco)], images, out


def _simulate(folder: Path) -> None:
    from ultrasam.data import images
    from ultrasam.phantom import simulate

    for number in range(_DEMO_IMAGES):
        picture = simulate(3, number, size=_DEMO_SIDE, color=True).image
        images.write_image(folder / f"simulated_{number + 1:02d}.png", picture)
