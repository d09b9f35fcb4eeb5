"""Results as DICOM objects for an archive (PACS): segmentations, structured reports, and the way there.

```python
from ultrasam import pacs

images = pacs.SourceImages.read("cine.dcm")
findings = pacs.findings(prediction, ["thyroid_nodule"], frame=0, spacing=(0.1, 0.1))
result = pacs.Result(images, findings)
pacs.write_segmentation(result, "cine.seg.dcm")
pacs.write_report(result, "cine.sr.dcm")
```
"""

from ultrasam.pacs.findings import Finding, findings
from ultrasam.pacs.maker import Maker
from ultrasam.pacs.measurement_report import write_report
from ultrasam.pacs.result import Result
from ultrasam.pacs.segmentation_object import write_segmentation
from ultrasam.pacs.source_images import SourceImages

__all__ = ["Finding", "Maker", "Result", "SourceImages", "findings", "write_report", "write_segmentation"]
