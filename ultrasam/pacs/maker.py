"""Who made a result: named in every object, so that it can be told from a person's work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import highdicom
from highdicom.sr import AlgorithmIdentification
from pydicom.sr.codedict import codes
from pydicom.uid import UID, generate_uid

import ultrasam

NAME = "UltraSam"
#: DICOM's Long Strings, and texts that are shown in one line, have so many characters at most.
LONG_STRING = 64


@dataclass(frozen=True)
class Maker:
    """The program and the model behind results.

    Attributes:
        model: name of the weights.
        automatic: nobody said where to look (DICOM: AUTOMATIC); prompts are SEMIAUTOMATIC.
        settings: what else changes a result; values that are None or False are left out.
    """

    model: str = "small"
    automatic: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The model's name, as a device's model name."""
        return f"{NAME} {self.model}"[:LONG_STRING]

    @property
    def parameters(self) -> dict[str, str]:
        """The settings that were used, as texts."""
        return {k: str(v) for k, v in self.settings.items() if v not in (None, False, [], ())}

    def equipment(self) -> dict[str, str]:
        """The attributes of the Enhanced General Equipment module, as highdicom names them."""
        return {
            "manufacturer": NAME,
            "manufacturer_model_name": self.title,
            "software_versions": ultrasam.__version__,
            "device_serial_number": ultrasam.__version__,
        }

    def for_segments(self) -> highdicom.AlgorithmIdentificationSequence:
        """The Segmentation Algorithm Identification."""
        return highdicom.AlgorithmIdentificationSequence(
            name=self.title,
            family=codes.cid7162.ArtificialIntelligence,
            version=ultrasam.__version__,
            parameters=self.parameters,
        )

    def for_report(self) -> AlgorithmIdentification:
        """The Algorithm Identification of TID 4019."""
        # As one text: it stands in each group of a report.
        parameters = ",".join(f"{key}={value}" for key, value in self.parameters.items())
        return AlgorithmIdentification(self.title, ultrasam.__version__, [parameters] if parameters else None)

    def uid(self, *of: object) -> UID:
        """A UID that is the same whenever the same is made of the same: storing again doubles nothing."""
        told = json.dumps(
            [NAME, self.model, self.automatic, self.parameters, *of], default=str, sort_keys=True
        )
        return generate_uid(entropy_srcs=[hashlib.blake2b(told.encode()).hexdigest()])
