"""Changes of a configuration, of the variables at its top as well.

mmengine puts options into a configuration after its files were read, when a variable has done its work:
``data_root=elsewhere`` would change the variable and nothing else. Here variables get their value while the
files are read.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from ultrasam.errors import ConfigError

#: What mmengine, MMDetection and our training read from a finished configuration; every other name at the top
#: is a variable.
SETTINGS = {
    *inspect.signature(Runner.__init__).parameters,
    *("custom_imports", "model_wrapper_cfg", "runner_type", "tta_model", "tta_pipeline"),
    *("starts_from", "made_by"),
}


def read_config(path: Path, options: Mapping[str, Any]) -> Config:
    """A configuration with changes.

    Args:
        path: its file.
        options: values by dotted key: ``optim_wrapper.optimizer.lr`` of a setting, ``data_root`` or
            ``data_prefix.img`` of a variable.

    Raises:
        ConfigError: an option that nothing in the configuration would follow.
    """
    config = Config.fromfile(path)
    variables = {key: value for key, value in options.items() if key.split(".")[0] not in SETTINGS}
    if variables:
        for key, value in variables.items():
            _check(path, config, key, value)
        config = read_with(path, variables)
    config.merge_from_dict({key: value for key, value in options.items() if key not in variables})
    return config


def _check(path: Path, config: Config, key: str, value: Any) -> None:
    """Refuse an option that changes nothing but the variable itself."""
    name = key.split(".")[0]
    if name not in config:
        close = difflib.get_close_matches(name, [*config, *SETTINGS], 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"{path} has no '{name}' to set to {value!r}{hint}")
    changed = read_with(path, {key: value})
    others = [{k: v for k, v in c.to_dict().items() if k != name} for c in (config, changed)]
    if others[0] == others[1] and config[name] != changed[name]:
        raise ConfigError(
            f"in {path} nothing reads '{name}', so {key}={value!r} would change nothing; set what it is "
            "meant for, such as train_dataloader.dataset.data_root"
        )


def read_with(path: Path, variables: Mapping[str, Any]) -> Config:
    """A configuration whose files, in copies, give these values to variables wherever they set them."""
    with TemporaryDirectory() as folder:
        read = Config.fromfile(_copy(path, Path(folder), variables))
    return Config(read.to_dict(), cfg_text=read.text, filename=path)


def _copy(path: Path, folder: Path, variables: Mapping[str, Any]) -> Path:
    if path.suffix != ".py":
        return path.resolve()
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(re.sub(r"\{\{\s*fileDirname\s*\}\}", path.parent.as_posix(), text))
    body: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.With):
            raise ConfigError(
                f"{path} is written with read_base(): there variables cannot be set by options, only "
                "settings in full, such as train_dataloader.dataset.data_root"
            )
        names = set(_assigned(statement))
        if "_base_" in names:
            bases = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            bases = [bases] if isinstance(bases, str) else bases
            copies = [
                base if "::" in base else str(_copy(path.parent / base, folder, variables)) for base in bases
            ]
            statement = ast.parse(f"_base_ = {copies!r}").body[0]
        body.append(statement)
        for key, value in variables.items():
            name, *rest = key.split(".")
            if name in names:
                place = "".join(f"[{part if part.isdigit() else repr(part)}]" for part in rest)
                body += ast.parse(f"{name}{place} = {value!r}").body
    target = folder / str(sum(1 for _ in folder.iterdir())) / path.name
    target.parent.mkdir()
    target.write_text(ast.unparse(ast.Module(body, [])), encoding="utf-8")
    return target


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives a value."""
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
