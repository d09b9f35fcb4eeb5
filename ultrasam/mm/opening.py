"""OpenMMLab opens files as the rest of UltraSam does: nothing that a file brings along is executed.

mmengine unpickles a checkpoint freely where the careful way fails, runs the configuration that a checkpoint
carries when training is resumed, and reads ``.pkl`` and ``.yaml`` files with loaders that make any object.
"""

from __future__ import annotations

import importlib
import pickle  # noqa: TID251  for an unpickler that knows what it may make
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType
from typing import Any
from urllib.parse import urlparse

import torch

from ultrasam.checkpoints.reading import HISTORY_BUFFER, read_bytes, read_objects
from ultrasam.converters.engine.plain_arrays import MAKERS
from ultrasam.errors import CheckpointError, ConfigError, DataError
from ultrasam.preprocess import Geometry


class _History:
    """Stands for a `HistoryBuffer` while a file is read; its numbers are kept, not its methods."""

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def read_checkpoint(path: str | Path) -> Any:
    """What training needs of a checkpoint of mmengine, on the CPU: weights, states, numbers and texts.

    The configuration that lies in it is left out: mmengine would run that text as Python. The training that
    goes on has its own.

    Raises:
        CheckpointError: the file is missing or damaged, or asks to run code.
    """
    content = read_objects(Path(path).expanduser(), {HISTORY_BUFFER: _History})
    if not isinstance(content, dict):
        return content
    hub = content.get("message_hub")
    for holder in (_part(content, "meta"), _part(hub, "runtime_info")):
        for text in ("config", "cfg"):
            holder.pop(text, None)
    scalars = _part(hub, "log_scalars")
    try:
        scalars.update({name: _buffer(value) for name, value in scalars.items()})
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the log of its training is damaged ({error})") from error
    return content


def _part(holder: Any, key: str) -> dict[str, Any]:
    part = holder.get(key) if isinstance(holder, dict) else None
    return part if isinstance(part, dict) else {}


def _buffer(value: Any) -> Any:
    """The `HistoryBuffer` with the numbers of what stood for it; anything else as it is."""
    if not isinstance(value, _History):
        return value
    from mmengine.logging import HistoryBuffer

    state = value.state
    return HistoryBuffer(state["_log_history"], state["_count_history"], int(state["max_length"]))


class _PlainUnpickler(pickle.Unpickler):
    """Makes tensors, arrays and containers: what MMDetection's results (``--out found.pkl``) consist of."""

    MADE: Mapping[tuple[str, str], Any] = MappingProxyType(
        {
            ("collections", "OrderedDict"): OrderedDict,
            ("_codecs", "encode"): lambda text, codec: text.encode("latin1"),
            ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
            ("torch.storage", "_load_from_bytes"): read_bytes,
            # Of our own samples: where an image lies in the network's input, five numbers.
            ("ultrasam.preprocess", "Geometry"): Geometry,
            **MAKERS,
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """What is made for a name; nothing is imported for it."""
        if (module, name) not in self.MADE:
            raise pickle.UnpicklingError(f"{module}.{name} could run code")
        return self.MADE[module, name]


def bridge_loading() -> None:
    """All that mmengine opens goes through readers that execute nothing."""
    module: Any = importlib.import_module("mmengine.runner.checkpoint")
    if not hasattr(module, "_safe_torch_load") or not hasattr(module, "load_url"):
        raise ConfigError(
            "this mmengine opens checkpoints in a way that UltraSam does not know and cannot make safe; "
            "install onedl-mmengine 0.10.12"
        )
    # All of its schemes (files, addresses, model zoos, object stores) end in one of these two.
    module._safe_torch_load = _opened
    module.load_url = _downloaded
    _bridge_handlers()


def _opened(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    """What mmengine calls ``_safe_torch_load``: tensors stay on the CPU, whoever takes them copies them."""
    if isinstance(file, str | Path):
        return read_checkpoint(file)
    with NamedTemporaryFile(suffix=".pth") as copy:
        copy.write(file.read())
        copy.flush()
        return read_checkpoint(copy.name)


def _downloaded(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True
) -> Any:
    """What mmengine calls ``load_url``, with PyTorch's cache of downloads."""
    folder = Path(model_dir or Path(torch.hub.get_dir(), "checkpoints"))
    path = folder / Path(urlparse(url).path).name
    if not path.is_file():
        print(f"downloading {url} to {path}", file=sys.stderr)  # noqa: T201
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=progress)
        except OSError as error:
            raise CheckpointError(
                f"could not fetch {url}: {error}. Download it yourself and put it at {path}"
            ) from error
    return read_checkpoint(path)


def _bridge_handlers() -> None:
    """``mmengine.load``: pickles hold numbers and texts alone, YAML plain values."""
    import yaml
    from mmengine.fileio import register_handler
    from mmengine.fileio.handlers.pickle_handler import PickleHandler
    from mmengine.fileio.handlers.yaml_handler import YamlHandler

    @register_handler(["pkl", "pickle"])
    class _PlainPickles(PickleHandler):  # type: ignore[misc]
        def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
            try:
                return _PlainUnpickler(file).load()
            except pickle.UnpicklingError as error:
                raise DataError(f"a pickle holds more than numbers and texts: {error}") from error
            # Damaged content surfaces as any error of what is made from it.
            except Exception as error:
                raise DataError(f"a pickle is damaged: {type(error).__name__} {error}") from error

    @register_handler(["yaml", "yml"])
    class _PlainYaml(YamlHandler):  # type: ignore[misc]
        def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
            try:
                return yaml.safe_load(file)
            except yaml.YAMLError as error:
                raise DataError(f"a file is not YAML of plain values: {error}") from error
