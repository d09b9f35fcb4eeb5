"""Damaged files end in frames or in errors that name them; frames that are missing are told."""

import warnings

import pytest

from tests.kit import fuzz_files


@pytest.mark.parametrize("kind", fuzz_files.KINDS)
def test_damaged_files(kind, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes, faults = fuzz_files.run(kind, 60, 1, tmp_path)
    assert not faults
    # Both happen, so that the fuzzer damages neither everything nor nothing.
    assert outcomes["frames"] > 3 and outcomes["told"] > 3


@pytest.mark.parametrize("whole", [fuzz_files.whole_images, fuzz_files.whole_dicoms, fuzz_files.whole_videos])
def test_whole_files_are_read_whole(whole, tmp_path):
    for number, (end, data) in enumerate(whole()):
        path = tmp_path / f"{number}{end}"
        path.write_bytes(data)
        count, told = fuzz_files.read(path)
        stated = {".mkv": 10}.get(end) or fuzz_files.stated_frames(path) or 1
        assert (count, told) == (stated, []), path.name
