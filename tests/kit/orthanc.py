"""A real Orthanc, the open archive, on loopback and in a folder of its own, for as long as a test runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.kit.ports import free_ports

#: Where Debian's orthanc-dicomweb puts its plugin.
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """Addresses of a running archive."""

    http: str
    port: int
    title: str = "ORTHANC"

    @property
    def dicomweb(self) -> str:
        return f"{self.http}/dicom-web"

    @property
    def node(self) -> str:
        return f"{self.title}@127.0.0.1:{self.port}"

    def upload(self, path: Path) -> None:
        requests.post(f"{self.http}/instances", data=path.read_bytes(), timeout=20).raise_for_status()

    def file(self, sop_instance_uid: str) -> bytes:
        """An instance as the archive holds it."""
        found = requests.post(f"{self.http}/tools/lookup", data=sop_instance_uid, timeout=20).json()
        return requests.get(f"{self.http}/instances/{found[0]['ID']}/file", timeout=20).content

    def count(self) -> int:
        return requests.get(f"{self.http}/statistics", timeout=20).json()["CountInstances"]


@contextmanager
def running(folder: Path) -> Iterator[Orthanc]:
    """Start it, end it; skip where it is not installed."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    if not program or not PLUGIN.exists():
        pytest.skip("Orthanc with DICOMweb (Debian: orthanc, orthanc-dicomweb) is not installed")
    http, dicom = free_ports(2)
    config = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": True,
        "DicomAlwaysAllowStore": True,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder
        )
        try:
            archive = Orthanc(f"http://127.0.0.1:{http}", dicom)
            _wait(process, archive, folder / "log")
            yield archive
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: subprocess.Popen, archive: Orthanc, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"Orthanc ended at once: {log.read_text(errors='replace')[-1000:]}")
        try:
            requests.get(f"{archive.http}/system", timeout=5).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    pytest.fail("Orthanc does not answer after 30 s")
