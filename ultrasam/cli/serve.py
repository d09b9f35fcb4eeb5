"""``ultrasam serve``."""

from __future__ import annotations

import argparse
from typing import Any

from ultrasam.cli.options import add_engine, add_host, add_weights

_EXAMPLES = """examples:
  ultrasam serve                                       the small model, on this machine alone
  ULTRASAM_TOKEN=secret ultrasam serve --checkpoint tuned/model.pth --memory 4
  LABEL_STUDIO_API_KEY=... ultrasam serve --label-studio http://localhost:8080

then:
  curl -H 'Authorization: Bearer TOKEN' --data-binary @scan.png http://127.0.0.1:9090/v1/images
  curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \\
    -d '{"objects": [{"box": [60, 40, 180, 160]}]}' http://127.0.0.1:9090/v1/images/IMAGE/prompt
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "serve",
        help="answer other programs over HTTP: prompts, automatic masks, propagation; Label Studio's backend",
        description=(
            "Serves a model over HTTP: programs send an image once and ask for objects on it; its page /docs "
            "says how. Speaks Label Studio's protocol below /label-studio."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_weights(parser, "--checkpoint", "the model (small, which comes with the package)", default="small")
    parser.add_argument("--device", help="cpu, cuda, ... (the best at hand)")
    add_engine(parser)
    parser.add_argument("--port", type=int, default=9090, help="port (9090); 0 for any that is free")
    add_host(parser)
    parser.add_argument(
        "--token", help="what programs have to send (ULTRASAM_TOKEN of the environment, else a random one)"
    )
    parser.add_argument(
        "--memory", type=float, default=1.0, metavar="GIB", help="of images and embeddings kept (1)"
    )
    parser.add_argument(
        "--max-upload", type=float, default=256, metavar="MIB", help="largest file that is taken (256)"
    )
    parser.add_argument(
        "--label-studio",
        metavar="ADDRESS",
        help="the Label Studio whose tasks' images are fetched, with LABEL_STUDIO_API_KEY of the environment",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the command until it is interrupted."""
    import contextlib
    import os
    import secrets
    import signal
    import sys

    from ultrasam.errors import UltraSamError
    from ultrasam.machine import process
    from ultrasam.predict.predictor import Predictor
    from ultrasam.serve.image_service import ImageService
    from ultrasam.serve.label_studio_backend import ROOT, LabelStudio
    from ultrasam.serve.service import guarded
    from ultrasam.serve.task_images import TaskImages
    from ultrasam.web import listening

    if not 0 < args.memory < 2**20 or not 0 < args.max_upload < 2**20:
        raise UltraSamError("--memory and --max-upload take numbers above 0")
    given = args.token or os.environ.get("ULTRASAM_TOKEN", "")
    if given and (len(given) < 8 or not given.isascii() or not given.isprintable() or " " in given):
        raise UltraSamError("a token has 8 letters, digits or signs or more, without spaces")
    max_upload = int(args.max_upload * 2**20)
    process.keep_memory()
    listener = listening.listen(args.host, args.port)
    predictor = Predictor(args.checkpoint, engine=args.engine, device=args.device)
    engine = ImageService(predictor, int(args.memory * 2**30))
    images = TaskImages(args.label_studio, os.environ.get("LABEL_STUDIO_API_KEY", ""), max_upload)
    token = given or secrets.token_urlsafe(24)
    address = f"http://{listening.shown(args.host)}:{listener.getsockname()[1]}"
    if not listening.is_local(args.host):
        print(
            f"ultrasam: {args.host} opens the service to the network, unencrypted: whoever listens "
            "there sees images and the token; put a server with TLS before it",
            file=sys.stderr,
        )
    print(f"{address}/docs says how to ask; in Label Studio connect {address}{ROOT}")
    print(f"token: {'the one that was given' if given else token}", flush=True)
    with process.on_sigterm(signal.default_int_handler), contextlib.suppress(KeyboardInterrupt):
        listening.serve(guarded(engine, token, LabelStudio(engine, images), max_upload), listener)
    return 0
