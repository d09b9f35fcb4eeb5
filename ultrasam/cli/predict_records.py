"""The options of ``ultrasam predict`` that lead to an archive and from it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrasam.errors import UltraSamError

if TYPE_CHECKING:
    from ultrasam.pacs.dicom_results import DicomResults


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the group."""
    group = parser.add_argument_group("records", "results of DICOM images as DICOM; no source is changed")
    group.add_argument("--dicom-seg", action="store_true", help="masks as DICOM SEG (out/dicom/*.seg.dcm)")
    group.add_argument(
        "--dicom-sr", action="store_true", help="outlines and sizes as DICOM SR (out/dicom/*.sr.dcm)"
    )
    group.add_argument("--from-dicomweb", metavar="URL", help="segment a study of this archive, not INPUTs")
    group.add_argument("--study", metavar="UID", help="of --from-dicomweb: the study")
    group.add_argument("--series", metavar="UID", help="of --from-dicomweb: only this series of it")
    group.add_argument(
        "--store",
        nargs="?",
        const="",
        metavar="WHERE",
        help="send SEG and SR to TITLE@host:port (C-STORE) or a DICOMweb address (that of --from-dicomweb)",
    )


def check(args: argparse.Namespace) -> None:
    """Raise `UltraSamError` where options do not fit together, before any work."""
    web = args.from_dicomweb
    if bool(web) == bool(args.inputs):
        raise UltraSamError("give either files to segment, or --from-dicomweb URL --study UID")
    if bool(web) != bool(args.study) or (args.series and not web):
        raise UltraSamError("--from-dicomweb URL and --study UID (and --series UID) belong together")
    if args.store is not None and not (args.dicom_seg or args.dicom_sr):
        raise UltraSamError("--store sends DICOM results: say --dicom-seg, --dicom-sr or both")
    if args.store == "" and not web:
        raise UltraSamError("--store where? Give TITLE@host:port or the http address of DICOMweb")
    if args.store:
        from ultrasam.pacs.sending import archive_at

        archive_at(args.store)


def fetch(args: argparse.Namespace) -> tuple[Sequence[str | Path], list[str]]:
    """The inputs, brought from the archive where asked, and what could not be brought."""
    if not args.from_dicomweb:
        return args.inputs, []
    from tqdm import tqdm

    from ultrasam.pacs.dicomweb import DicomWeb

    archive = DicomWeb(args.from_dicomweb)
    with tqdm(unit=" images", desc="fetching", disable=args.quiet or None) as bar:
        fetched = archive.fetch(args.study, args.series, args.out / "fetched", lambda: bar.update())
    kept = f", {fetched.kept} of them from an earlier run" if fetched.kept else ""
    left = "".join(f"; left out: {count} {kind}" for kind, count in fetched.left_out.items())
    print(f"{len(fetched.paths)} images fetched{kept}{left}")
    return fetched.paths, fetched.failed


def products(
    args: argparse.Namespace, categories: list[dict[str, Any]], settings: dict[str, Any]
) -> list[DicomResults]:
    """What is made of each file, as asked."""
    if not (args.dicom_seg or args.dicom_sr):
        return []
    from ultrasam.pacs.dicom_results import DicomResults
    from ultrasam.pacs.maker import Maker
    from ultrasam.pacs.sending import archive_at

    model = Path(settings["checkpoint"]).stem
    shown = {k: v for k, v in settings.items() if k not in ("checkpoint", "checkpoint_stamp", "auto")}
    made = DicomResults(
        args.out,
        categories,
        Maker(model, bool(args.auto), shown),
        segmentation=args.dicom_seg,
        report=args.dicom_sr,
        archive=None if args.store is None else archive_at(args.store or args.from_dicomweb),
    )
    return [made]


def tell(failed: Sequence[str], made: Sequence[DicomResults]) -> None:
    """Print what came of it."""
    for product in made:
        print(f"{product}; see {product.out / 'dicom'}")
    for message in failed:
        print(f"failed: {message}", file=sys.stderr)
