"""Segment many files: masks as PNG, overlays, one COCO file; interrupted runs go on where they stopped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ultrasam.errors import OutputError, UltraSamError
from ultrasam.predict.files import sources
from ultrasam.predict.files.asked import Asked, PromptsOf
from ultrasam.predict.files.file_records import Records
from ultrasam.predict.files.former_results import FormerResults
from ultrasam.predict.files.frame_work import Done, FrameWork, Options, ToDo
from ultrasam.predict.files.in_order import in_order
from ultrasam.predict.files.run_summary import Segmented, Summary
from ultrasam.predict.files.sources import Frame, Source
from ultrasam.predict.predictor import Predictor
from ultrasam.predict.track import Follower


class Product(Protocol):
    """Something that is made of a whole file, once its frames are segmented.

    Attributes:
        made: names of all that it has written, in the run's folder; one that lies in no folder there is a
            table to which each file adds.
    """

    made: list[str]

    def make(self, source: Source, name: str, records: Sequence[dict[str, Any]]) -> None:
        """Write it.

        Args:
            source: the file.
            name: its output name.
            records: what the run keeps of each frame, in order: ``image``, and ``annotations`` whose
                ``mask`` names a PNG in the run's folder.

        Raises:
            UltraSamError: it can't be made of this file; the run notes that and goes on.
            OutputError: it can't be written; the run ends.
        """


@dataclass
class _File:
    """A file of the run, with the records and errors of its frames as far as they are known."""

    source: Source
    name: str
    asked: Asked | None = None
    digest: str = ""
    reading: threading.Lock = field(default_factory=threading.Lock)
    made: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def to_do(self, frame: Frame) -> ToDo:
        return ToDo(frame, self.asked, self.digest, self.reading)


class Segments(Protocol):
    """Something else than this process that segments files."""

    def segment(self, run: FileRun, files: Sequence[tuple[Source, str]]) -> Iterator[Segmented]:
        """What becomes of each file and its output name, in their order."""


#: What is next in a run: a frame of a file, an error while it was read, or its end.
_Event = tuple[_File, "Frame | UltraSamError | None"]
#: The same, done.
_Outcome = tuple[_File, "Done | UltraSamError | None"]


class FileRun:
    """One run over files.

    Args:
        predictor: the predictor.
        out: folder for ``masks/``, ``overlays/``, ``records/`` and ``predictions.json``.
        prompts_of: what is asked of each file; None for automatic masks of everything.
        categories: COCO's list of categories.
        settings: everything that changes a result; results of other settings are made again.
        options: how files are segmented.
        products: what else is made of each file whose frames could be segmented, if only some of them.
        workers: frames that are worked on at the same time, by a thread each; results are those of one. What
            is followed goes from frame to frame, and only its results are written meanwhile.
    """

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        prompts_of: PromptsOf | None,
        *,
        categories: list[dict[str, Any]],
        settings: dict[str, Any],
        options: Options,
        products: Sequence[Product] = (),
        workers: int = 1,
    ) -> None:
        self.products, self.prompts_of, self.options, self.workers = products, prompts_of, options, workers
        self.former = FormerResults(out)
        self.records = Records(out, settings, categories, self.former)
        self.work = FrameWork(predictor, self.records, options)
        self._digests: dict[str, str] = {}
        self._names: set[str] = set()
        self.summary = Summary()

    def run(
        self,
        files: Sequence[Source],
        each: Callable[[dict[str, Any]], None] = lambda record: None,
        elsewhere: Segments | None = None,
    ) -> Summary:
        """Segment files; what can't be read of one is noted and the others go on.

        Interrupted, it writes ``predictions.json`` of what is done.

        Args:
            files: from `sources.find`.
            each: called with the record of every image, for a progress bar.
            elsewhere: segments the files; this process where None.

        Raises:
            UltraSamError: not one image could be segmented; the message holds the reason of each file.
            OutputError: a result can't be written; what is done is kept.
        """
        records: list[dict[str, Any]] = []
        try:
            # One by one: the frames before an interruption are kept.
            for record in self._records(files, elsewhere):
                each(record)
                records.append(record)
            self._settle_tables()
        except BaseException as error:
            with contextlib.suppress(OutputError):
                if records:
                    self.records.write_coco(records)
            if isinstance(error, OutputError):
                raise OutputError(f"{error}; what is done is kept: start again to go on") from error
            raise
        if self.summary.failed and not records:
            raise UltraSamError("\n".join(self.summary.failed))
        self.records.write_coco(records)
        return self.summary

    def _records(self, files: Sequence[Source], elsewhere: Segments | None) -> Iterator[dict[str, Any]]:
        named = list(zip(files, sources.names(files), strict=True))
        self._names = {name for _, name in named}
        if elsewhere is None:
            yield from self._segmented([_File(source, name) for source, name in named], self._end)
            return
        for (source, name), answer in zip(named, elsewhere.segment(self, named), strict=True):
            self.summary.add(answer.summary)
            yield from answer.records
            self._end(_File(source, name, digest=answer.digest, made=answer.records, errors=answer.errors))

    def segment(self, source: Source, name: str) -> Segmented:
        """Segment one file, of which no products are made: that is for the run that asks for it."""
        file = _File(source, name)
        records = list(self._segmented([file], lambda file: None))
        self.summary.removed, self.summary.changed = self.former.removed, self.former.changed
        return Segmented(file.digest, records, file.errors, self.summary)

    def asked(self, source: Source) -> Asked | None:
        """What is asked of a file, None for everything."""
        return self.prompts_of(source.file_name) if self.prompts_of else None

    def _segmented(self, files: Sequence[_File], end: Callable[[_File], None]) -> Iterator[dict[str, Any]]:
        """The records of all frames; here alone a run goes on after an error."""
        with contextlib.closing(in_order(self._steps(files), self.workers)) as steps:
            for step in steps:
                for file, told in step:
                    if told is None:
                        end(file)
                    elif isinstance(told, UltraSamError):
                        file.errors.append(_named(file.source, told))
                    else:
                        self.summary.count(told)
                        if told.record is not None:
                            file.made.append(told.record)
                            yield told.record

    def _steps(self, files: Sequence[_File]) -> Iterator[Callable[[], list[_Outcome]]]:
        """What there is to do, for any thread; what is followed is followed here."""
        waiting: list[_Event] = []
        for file in files:
            follower: Follower | None = None
            for found in self._frames(file):
                if isinstance(found, Frame) and self.options.follow and found.number is not None:
                    if waiting:
                        yield partial(self._do, waiting)
                        waiting = []
                    step, follower = self._follow(file, found, follower)
                    yield step
                    continue
                waiting.append((file, found))
                frames = sum(isinstance(entry, Frame) for _, entry in waiting)
                # An end with no frame before it that is to be done first has nothing to wait for.
                if frames >= self.work.together or not frames:
                    yield partial(self._do, waiting)
                    waiting = []
        yield partial(self._do, waiting)

    def _do(self, waiting: Sequence[_Event]) -> list[_Outcome]:
        done = iter(self.work.do([file.to_do(found) for file, found in waiting if isinstance(found, Frame)]))
        return [(file, next(done) if isinstance(found, Frame) else found) for file, found in waiting]

    def _follow(
        self, file: _File, frame: Frame, follower: Follower | None
    ) -> tuple[Callable[[], list[_Outcome]], Follower | None]:
        """What writes the results of a frame of a clip, and what follows its objects."""
        try:
            write, follower = self.work.follow(file.to_do(frame), follower)
        except OutputError:
            raise
        except UltraSamError as error:
            told = error
            return lambda: [(file, told)], follower
        return lambda: [(file, write())], follower

    def _frames(self, file: _File) -> Iterator[Frame | UltraSamError | None]:
        """The frames of a file, and errors in between, or after them; None at the end."""
        try:
            file.asked = self.asked(file.source)
            file.digest = self.records.digest(file.asked, file.source)
        except UltraSamError as error:
            yield error
            yield None
            return
        frames = sources.frames(file.source, file.name, self.options.window, self.options.axis)
        while True:
            try:
                frame = next(frames, None)
            except UltraSamError as error:
                yield error
                continue
            yield frame
            if frame is None:
                return

    def _end(self, file: _File) -> None:
        """Make the products of a file, and note what went wrong in it."""
        before = [len(product.made) for product in self.products]
        for product in self.products if file.made else ():
            try:
                product.make(file.source, file.name, file.made)
            except OutputError:
                raise
            except UltraSamError as error:
                file.errors.append(_named(file.source, error))
        if file.digest:
            pairs = zip(self.products, before, strict=True)
            made = [name for product, start in pairs for name in product.made[start:] if "/" in name]
            frames = [record["image"]["name"] for record in file.made]
            self.former.replace_source(file.name, file.digest, frames, made)
            alone = zip(sources.names_alone(file.source), file.source.series_names, strict=True)
            self.former.replace_files({name: of for name, of in alone if name not in self._names})
            self._digests[file.name] = file.digest
        if file.errors:
            self.summary.failed.append(_told(file.errors))

    def _settle_tables(self) -> None:
        """What is made of all files, and what came of earlier runs."""
        tables = {name for product in self.products for name in product.made if "/" not in name}
        self.former.replace_tables(self._digests, sorted(tables))
        self.summary.removed += self.former.removed
        self.summary.changed += self.former.changed


def _named(source: Source, error: UltraSamError) -> str:
    """What went wrong, with the file that it is about."""
    return str(error) if source.file_name in str(error) else f"{source.path}: {error}"


def _told(errors: Sequence[str]) -> str:
    """What went wrong in a file, in one line: a clip may fail at each of its frames."""
    shown = dict.fromkeys([*errors[:2], errors[-1]])
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f" (and {more} errors more)" if more else "")
