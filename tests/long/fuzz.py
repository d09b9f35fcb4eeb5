"""Damaged files through all readers, for longer than the suite has time.

``python -m tests.long.fuzz`` runs every kind, ``python -m tests.long.fuzz coco 500`` one of them. A file
follows from its number alone. Each kind runs in a process of its own that is watched: what ends it, stops it
for 20 seconds or makes it take 2 GiB more is a fault, and the next file goes on in a new process. It exits
with 1 where there is a fault, and says how to see one again.
"""

from __future__ import annotations

import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .trials import TRIALS

#: Kind -> how many files.
COUNTS = {
    "coco": 5000,
    "images": 2000,
    "dicom": 1000,
    "checkpoints": 500,
    "archives": 500,
    "prompts": 200,
    "videos": 100,
}
#: Seconds without a result, and MiB more than before a file, that are a fault.
PATIENCE, MEMORY = 20, 2048
#: Seconds that a new process may take to import everything.
START = 120


def run_child(kind: str, first: int, last: int) -> None:
    """Try files one after the other; a line for each."""
    warnings.simplefilter("ignore")
    trial = TRIALS[kind]()
    # What takes all of the machine's memory would take other programs with it.
    resource.setrlimit(resource.RLIMIT_AS, (int(_vm("VmSize")) * 2**20 + 8 * 2**30,) * 2)
    print("ready", flush=True)
    for number in range(first, last):
        with tempfile.TemporaryDirectory() as folder:
            before = _reset_peak()
            try:
                outcome = trial(number, Path(folder))
            except Exception as error:
                place = _place(error)
                outcome = f"FAULT {type(error).__name__}: {str(error).splitlines()[:1]} at {place}"
            more = _vm("VmHWM") - before
            if more > MEMORY:
                outcome = f"FAULT {more:.0f} MiB of memory ({outcome})"
            print(number, outcome, flush=True)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _vm(name: str) -> float:
    """MiB of a figure of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _reset_peak() -> float:
    """Forget the most memory that was used; MiB of now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _vm("VmRSS")


def run(kind: str, count: int) -> tuple[Counter[str], list[str]]:
    """Try so many files: outcomes, and faults with the file's number."""
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    number = 0
    while number < count:
        for line in _watched(kind, number, count):
            number, outcome = int(line.split()[0]), line.split(maxsplit=1)[1]
            if outcome.startswith("FAULT"):
                faults.append(f"{number}: {outcome}")
                outcome = "fault"
            outcomes[outcome] += 1
            number += 1
    return outcomes, faults


def _watched(kind: str, first: int, last: int) -> Iterator[str]:
    """The lines of a child; where it dies or stops, a fault for the file that it was at."""
    command = [sys.executable, "-m", "tests.long.fuzz", "--child", kind, str(first), str(last)]
    log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    lines: queue.Queue[str] = queue.Queue()

    def pump() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line.strip())
        lines.put("end")

    threading.Thread(target=pump, daemon=True).start()
    number, patience = first, START
    try:
        while number < last:
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                yield f"{number} FAULT nothing for {patience} s"
                return
            if line == "ready":
                patience = PATIENCE
            elif line == "end":
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()[-1:]
                if patience == START:
                    raise RuntimeError(f"{kind} cannot be tried: {said}")
                yield f"{number} FAULT the process ended with {child.wait()}: {said}"
                return
            else:
                number = int(line.split()[0]) + 1
                yield line
    finally:
        child.kill()
        child.wait()
        log.close()


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return 0
    wanted = {sys.argv[1]: int((sys.argv[2:] or [COUNTS[sys.argv[1]]])[0])} if sys.argv[1:] else COUNTS
    wrong = 0
    for kind, count in wanted.items():
        outcomes, faults = run(kind, count)
        wrong += len(faults)
        print(f"{kind}: {count} files: " + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))
        for fault in faults[:20]:
            print(f"  {fault}")
        sys.stdout.flush()
    print(f"{wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
