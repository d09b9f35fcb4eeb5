"""The GPU benchmark in its reduced form: it runs anywhere, and writes what it has when time is up."""

import json

from benchmarks import gpu


def test_reduced_run(tmp_path, capsys, monkeypatch):
    # Compiling FlexAttention takes half a minute on a CPU.
    monkeypatch.setattr(gpu, "VARIANTS_OF_ATTENTION", ("plain", "chunked", "concatenated"))
    out = tmp_path / "gpu.json"
    assert gpu.main(["--quick", "--minutes", "0.05", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    figures = report["figures"]
    kinds = {row["what"] for row in figures}
    assert {"relative error", "encoder", "training step", "attention", "decoder"} <= kinds
    assert report["quick"] and report["versions"]["torch"]
    error = next(row for row in figures if row["what"] == "relative error" and "q" in row)
    assert error["dtype"] == "torch.float32" and max(error[k] for k in ("output", "q", "table_h")) < 1e-5
    assert any(row.get("skipped") for row in figures)
    assert len(capsys.readouterr().out.splitlines()) == len(figures)


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert "--quick" in capsys.readouterr().err
