"""A folder that remembers what its results were made with."""

from ultrasam.data.settings import forget_other_settings


def test_other_settings_start_anew(tmp_path):
    folder = tmp_path / "out"

    def start(**settings):
        forget_other_settings(folder, settings, ["scores.json", "*.jsonl", "shown_*"])
        return sorted(path.name for path in folder.iterdir())

    assert start(seed=1) == ["settings.json"]
    for name in ("scores.json", "a.jsonl", "b.jsonl", "kept.txt"):
        (folder / name).write_text("")
    (folder / "shown_box").mkdir()
    (folder / "shown_box/1.png").write_text("")
    everything = ["a.jsonl", "b.jsonl", "kept.txt", "scores.json", "settings.json", "shown_box"]
    assert start(seed=1) == everything
    assert start(seed=2) == ["kept.txt", "settings.json"]
    # What an earlier version left without a note is not taken for ours.
    (folder / "settings.json").unlink()
    (folder / "scores.json").write_text("")
    assert start(seed=2) == ["kept.txt", "settings.json"]
