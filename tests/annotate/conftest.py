"""A predictor that is quick, and sessions on a folder of three pictures."""

import pytest

from tests.kit.annotating import make_images
from ultrasam.annotate.session import Session
from ultrasam.predict.predictor import Predictor


@pytest.fixture
def predictor(tiny_model):
    return Predictor(tiny_model, closer=True)


@pytest.fixture
def folder(tmp_path):
    return make_images(tmp_path / "images")


@pytest.fixture
def start(folder, predictor):
    """Starts sessions, on the folder unless told otherwise, and ends those that are left."""
    begun = []

    def begin(inputs=(folder,), **options):
        session = Session(list(inputs), **{"model": predictor, "classes": ["cyst", "vessel"], **options})
        begun.append(session)
        return session

    yield begin
    for session in begun:
        end(session)


def end(session):
    """As a killed process would: nothing is written any more, and the lock is gone."""
    session.assistant.close()
    session.saver.abandon()
    session._alone.release()
