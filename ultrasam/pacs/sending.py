"""Results to an archive by C-STORE, and which way an address means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ultrasam.errors import DataError
from ultrasam.pacs.dicom_results import Archive

#: Application entity titles have 16 characters at most.
_ADDRESS = re.compile(r"(?P<title>[^@\\]{1,16})@(?P<host>[^@:]+|\[[^]]+\]):(?P<port>\d{1,5})")
_TITLE = "ULTRASAM"
_SECONDS = 30


class DicomNode:
    """An archive by its application entity title, host and port (C-STORE)."""

    def __init__(self, title: str, host: str, port: int) -> None:
        # Imported here: whoever stores over DICOMweb needs no pynetdicom.
        from pydicom.uid import ComprehensiveSRStorage, SegmentationStorage
        from pynetdicom import AE

        self.title, self.host, self.port = title, host, port
        self._entity = AE(ae_title=_TITLE)
        self._entity.acse_timeout = self._entity.dimse_timeout = self._entity.network_timeout = _SECONDS
        self._entity.connection_timeout = _SECONDS
        for kind in (SegmentationStorage, ComprehensiveSRStorage):
            self._entity.add_requested_context(kind)

    def store(self, paths: Sequence[Path]) -> None:
        """Send files.

        Raises:
            DataError: the archive does not take all of them.
        """
        where = f"{self.title}@{self.host}:{self.port}"
        link = self._entity.associate(self.host, self.port, ae_title=self.title)
        if not link.is_established:
            why = "refuses this sender" if link.is_rejected else "does not answer"
            raise DataError(f"{where} {why}; the results are written: start again to send them")
        try:
            for path in paths:
                try:
                    status = link.send_c_store(path).get("Status")
                except (ValueError, RuntimeError) as error:
                    raise DataError(f"{where} does not take {path.name}: {error}") from error
                # Warnings (0xB...) say that it was stored all the same.
                if status is None or (status != 0 and status >> 12 != 0xB):
                    said = "no answer" if status is None else f"status {status:#06x}"
                    raise DataError(f"{where} did not take {path.name}: {said}")
        finally:
            link.release()


def archive_at(address: str) -> Archive:
    """The archive that an address means: ``http(s)://...`` is DICOMweb, ``TITLE@host:port`` C-STORE.

    Raises:
        DataError: it is neither.
    """
    if address.startswith(("http://", "https://")):
        from ultrasam.pacs.dicomweb import DicomWeb

        return DicomWeb(address)
    parts = _ADDRESS.fullmatch(address)
    if not parts or not 0 < int(parts["port"]) < 65536:
        raise DataError(f"'{address}' is no archive: give TITLE@host:port or the http address of DICOMweb")
    return DicomNode(parts["title"], parts["host"].strip("[]"), int(parts["port"]))
