"""Arrays out of pickles: the same values as NumPy's own makers give, and never memory that a file names."""

import io
import pickle

import numpy as np
import pytest

from converters.engine import read
from converters.engine.errors import CaseError
from converters.engine.plain_arrays import MAKERS, PlainArray


class Made:
    """Pickled, it is a call of ``maker``, and ``state`` given to what comes of it."""

    def __init__(self, maker, *given, state=None):
        self.parts = (maker, given) if state is None else (maker, given, state)

    def __reduce__(self):
        return self.parts


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        return MAKERS.get((module, name)) or super().find_class(module, name)


def load(content, protocol=2):
    return _Reader(io.BytesIO(pickle.dumps(content, protocol))).load()


RECONSTRUCT = np.ones(1).__reduce__()[0]
FROM_BUFFER = np.ones(1).__reduce_ex__(5)[0]
SCALAR = np.float64(1).__reduce__()[0]
ADDRESS = b"A" * 8


def dtype(code, *state):
    return Made(np.dtype, code, False, True, state=state or None)


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    np.arange(24, dtype=">f4").reshape(2, 3, 4)[:, ::2],
    np.array([True, False]),
    np.array(["", "ä", "long text"]),
    np.array([b"a", b"bc"]),
    np.array([1 + 2j]),
    np.array(3, dtype=np.uint8),
    np.zeros((0, 4), np.float16),
    np.array([{"x": [1]}, None], dtype=object),
    np.array({"x": 1}, dtype=object),
    np.array([[1, 2]], dtype=object),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype} {array.shape}")
def test_arrays_come_back(array, protocol):
    found = load({"a": array, "b": [array]}, protocol)["a"]
    # NumPy's own reader turns numbers into the machine's order of bytes, too.
    assert (
        found.dtype == pickle.loads(pickle.dumps(array)).dtype
        and found.shape == array.shape
        and found.flags.writeable
    )
    assert np.array_equal(found, array) and found.flags.f_contiguous == array.copy("K").flags.f_contiguous


@pytest.mark.parametrize(
    "number", [np.float64(0.1), np.int32(-5), np.bool_(True), np.str_("ä"), np.float32(3)]
)
def test_numbers_come_back(number):
    for protocol in range(6):
        found = load(number, protocol)
        assert found == number and type(found) is type(number)


HOSTILE = {
    "addresses for objects": Made(
        np.ndarray, (1,), dtype("O"), ADDRESS, state=(1, (1,), dtype("O"), False, ADDRESS)
    ),
    "addresses in a buffer": Made(FROM_BUFFER, ADDRESS, dtype("O"), (1,), "C"),
    "addresses for one object": Made(SCALAR, dtype("O"), ADDRESS),
    "flags that make objects of numbers": Made(
        FROM_BUFFER, ADDRESS, dtype("V8", 3, "|", None, ("x",), {"x": (dtype("O"), 0)}, 8, 1, 0), (1,), "C"
    ),
    "records": Made(
        RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), dtype([("x", "O")]), False, ADDRESS)
    ),
    "fewer bytes": Made(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (9,), dtype("f8"), False, ADDRESS)),
    "fewer objects": Made(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (9,), dtype("O"), False, [1])),
    "a negative side": Made(
        RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (-1, -1), dtype("f8"), False, ADDRESS)
    ),
    "no type": Made(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), "f8", False, ADDRESS)),
    "a type that is later longer": Made(
        SCALAR, dtype("S4", 3, "|", ("S99999999", (1,)), None, None, 9, 1, 0), b"aaaa"
    ),
    "a buffer that is another array": Made(FROM_BUFFER, np.ones(1), dtype("f8"), (1,), "C"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_memory_that_a_file_names(kind):
    with pytest.raises(ValueError, match=r"array|number|shape"):
        load(HOSTILE[kind])


def test_an_array_is_filled_once():
    array = load(np.ones(3))
    with pytest.raises(ValueError, match="twice"):
        array.__setstate__((1, (1,), None, False, b""))
    assert load(Made(np.ndarray, (1,), dtype("O"), ADDRESS)).shape == (0,)
    assert isinstance(array, PlainArray) and type(array + 1) is PlainArray


def test_flags_of_a_type_are_its_own():
    found = load(Made(FROM_BUFFER, ADDRESS, dtype("f8", 3, ">", None, None, None, -1, -1, 63), (1,), "C"))
    assert found.dtype == np.dtype(">f8") and not found.dtype.hasobject and found.dtype.flags == 0


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_data_set_that_is_pickled(tmp_path, kind):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(file, header)
        pickle.dump(np.array({"x": HOSTILE[kind]}, dtype=object), file, 2)
    with pytest.raises(CaseError, match=r"a\.npy: unreadable array"):
        read.pickled_dict(path)
