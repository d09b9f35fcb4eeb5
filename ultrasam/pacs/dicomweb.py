"""An archive over DICOMweb: images from it (QIDO-RS, WADO-RS), results to it (STOW-RS)."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import uid
from pydicom.dataset import Dataset
from retrying import RetryError

from ultrasam.data.files import write_bytes
from ultrasam.errors import DataError, UltraSamError
from ultrasam.pacs.source_images import is_uid

#: What ultrasound images are stored as: its own classes, retired ones too, and secondary captures.
IMAGES = frozenset(
    (
        uid.UltrasoundImageStorage,
        uid.UltrasoundMultiFrameImageStorage,
        "1.2.840.10008.5.1.4.1.1.6",
        "1.2.840.10008.5.1.4.1.1.3",
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    )
)
#: An access token for the archive; user and password come from ``~/.netrc``.
TOKEN = "ULTRASAM_DICOMWEB_TOKEN"
_SECONDS = 30
#: More bytes than the parts of a message have beside their files.
_FRAMING = 4096
#: Of one answer to a search.
_PAGE = 1000


@dataclass
class Fetched:
    """What came of a study.

    Attributes:
        paths: the images on this disk, in the order of series and instance.
        kept: how many of them an earlier call brought.
        left_out: instances that are no images, by their kind.
        failed: what could not be had, and why.
    """

    paths: list[Path] = field(default_factory=list)
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


class DicomWeb:
    """An archive by the address of its DICOMweb service, such as ``http://host:8042/dicom-web``."""

    def __init__(self, url: str) -> None:
        token = os.environ.get(TOKEN)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        self.url = url
        with self._errors_named("is no address of a DICOMweb service"):
            self._client = DICOMwebClient(url, headers=headers, timeout=_SECONDS)
        self._client.set_http_retry_params(max_attempts=3, wait_exponential_multiplier=250)

    def fetch(
        self, study: str, series: str | None, folder: Path, each: Callable[[], None] = lambda: None
    ) -> Fetched:
        """Bring the images of a study; those that are there from an earlier call stay.

        Args:
            study: its UID.
            series: the UID of one of its series, or None for all.
            folder: gets ``STUDY/SERIES/INSTANCE.dcm``.
            each: called after every image.

        Raises:
            DataError: the archive can't be asked, or has no such images.
            OutputError: an image can't be written.
        """
        for value in (study, series):
            if value is not None and not is_uid(value):
                raise DataError(f"'{value}' is no DICOM UID: digits and dots, such as 1.2.840.113619.2")
        fetched = Fetched()
        for found in sorted(self._instances(study, series), key=_order):
            if found.get("SOPClassUID") not in IMAGES:
                fetched.left_out[uid.UID(found.get("SOPClassUID", "")).name or "unknown"] += 1
                continue
            path = folder / study / found.SeriesInstanceUID / f"{found.SOPInstanceUID}.dcm"
            try:
                if path.exists():
                    fetched.kept += 1
                else:
                    write_bytes(path, self._instance(study, found.SeriesInstanceUID, found.SOPInstanceUID))
            except DataError as error:
                fetched.failed.append(str(error))
                continue
            fetched.paths.append(path)
            each()
        if not fetched.paths:
            raise DataError("\n".join(fetched.failed) or self._nothing(study, series, fetched.left_out))
        return fetched

    def store(self, paths: Sequence[Path]) -> None:
        """Send files.

        Raises:
            DataError: the archive does not take all of them.
        """
        # In one piece each: an archive that is busy is asked again, and a stream could not be sent twice.
        self._client.set_chunk_size(sum(path.stat().st_size for path in paths) + _FRAMING * len(paths))
        with self._errors_named(f"did not take {', '.join(p.name for p in paths)}"):
            answer = self._client.store_instances([pydicom.dcmread(path) for path in paths])
        refused = answer.get("FailedSOPSequence") or []
        if refused:
            reasons = ", ".join(sorted({f"{item.get('FailureReason', 0):#06x}" for item in refused}))
            raise DataError(f"{self.url} did not take {len(refused)} of {len(paths)} results ({reasons})")

    def _instances(self, study: str, series: str | None) -> Iterator[Dataset]:
        """All instances, page by page; a server that always sends the same page is asked no further."""
        seen: set[str] = set()
        while True:
            with self._errors_named(f"can't be asked for the study {study}"):
                page = self._client.search_for_instances(study, series, limit=_PAGE, offset=len(seen))
                found = [Dataset.from_json(entry) for entry in page]
                new = [entry for entry in found if entry.SOPInstanceUID not in seen]
                for entry in new:
                    entry.SeriesInstanceUID = entry.get("SeriesInstanceUID") or series
                    _check_uids(entry)
            if not new:
                return
            seen.update(entry.SOPInstanceUID for entry in new)
            yield from new

    def _instance(self, study: str, series: str, instance: str) -> bytes:
        """One image, in the compression that the archive has it in."""
        with self._errors_named(f"did not give the image {instance}"):
            dataset = self._client.retrieve_instance(
                study, series, instance, media_types=(("application/dicom", "*"),)
            )
            if dataset.SOPInstanceUID != instance:
                raise ValueError(f"it sent {dataset.SOPInstanceUID} in its place")
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def _nothing(self, study: str, series: str | None, left_out: Counter[str]) -> str:
        what = f"study {study}" + (f", series {series}" if series else "")
        held = ", ".join(f"{count} {kind}" for kind, count in left_out.items())
        return f"{self.url} has no ultrasound images in {what}" + (f", only {held}" if held else "")

    @contextmanager
    def _errors_named(self, what: str) -> Iterator[None]:
        """The network's errors, and those of answers that are none of DICOMweb's, in one line."""
        try:
            yield
        except UltraSamError:
            raise
        except RetryError as error:
            raise DataError(f"{self.url} {what}: it is busy; start again later to go on") from error
        except (requests.RequestException, OSError) as error:
            raise DataError(f"{self.url} {what}: {_reason(error)}") from error
        # What pydicom and the client say of an answer that they do not understand.
        except Exception as error:
            raise DataError(f"{self.url} {what}: {error}") from error


def _check_uids(entry: Dataset) -> None:
    """They become the names of files."""
    for value in (entry.SeriesInstanceUID, entry.SOPInstanceUID):
        if not is_uid(value):
            raise ValueError(f"it sent '{value}', which is no UID")


def _order(entry: Dataset) -> tuple[Any, ...]:
    return (entry.SeriesInstanceUID, int(entry.get("InstanceNumber") or 0), entry.SOPInstanceUID)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}"
    inner = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    return f"{getattr(inner, 'strerror', None) or inner}; start again to go on"
