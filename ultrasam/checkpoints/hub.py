"""Models to and from the Hugging Face Hub, in folders that transformers' ``SamModel`` loads too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin

from ultrasam.checkpoints.download import from_hub
from ultrasam.checkpoints.loading import load
from ultrasam.checkpoints.writing import save
from ultrasam.modeling.sam import Sam

_CARD = """---
{data}
---
# {title}

{text}

```python
import ultrasam

predictor = ultrasam.Predictor("hf://{repo}")
predictor.set_image(image)                                   # (H, W, 3) uint8 RGB
masks, scores, logits = predictor.predict(box=[x1, y1, x2, y2])
```

`transformers.SamModel.from_pretrained("{repo}")` loads the same weights. For research. Not a medical device.
"""


class HubModel(ModelHubMixin):
    """A model with huggingface_hub's ``save_pretrained``, ``push_to_hub`` and ``from_pretrained``.

    Args:
        model: the network; its note on how it wants to be used goes along.
    """

    def __init__(self, model: Sam) -> None:
        self.model = model

    def _save_pretrained(self, save_directory: Path) -> None:
        save(self.model.state_dict(), save_directory, "transformers")

    @classmethod
    def _from_pretrained(cls, *, model_id: str, config: Any = None, **options: Any) -> HubModel:
        folder = model_id if Path(model_id).is_dir() else from_hub(model_id, **options)
        return cls(load(folder))

    def generate_model_card(
        self,
        *,
        license: str = "other",
        title: str = "A promptable segmenter for ultrasound",
        text: str = "",
        repo: str = "OWNER/NAME",
        datasets: list[str] | None = None,
        **more: Any,
    ) -> ModelCard:
        """The page of the model (README.md) with the metadata that the Hub reads.

        Args:
            license: the Hub's name of the weights' license, such as ``cc-by-nc-sa-4.0``: what is derived
                from weights keeps theirs, so there is no default but ``other``.
            title: its heading.
            text: what it was trained on, how good it is, its limits.
            repo: where it will lie, ``OWNER/NAME``.
            datasets: of the Hub, that it was trained on.
            more: further fields of `ModelCardData`, such as ``model_name`` and ``eval_results``.
        """
        data = ModelCardData(
            license=license,
            library_name="ultrasam",
            pipeline_tag="mask-generation",
            tags=["ultrasound", "medical-imaging", "segment-anything"],
            datasets=datasets,
            **more,
        )
        return ModelCard(_CARD.format(data=data.to_yaml(), title=title, text=text, repo=repo))
