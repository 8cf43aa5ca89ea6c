"""The benchmark page is what its command makes of the result files."""

import json
import re

from benchmarks.page import DOCS, KNOWN, RESULTS, draw, page


def test_the_committed_page_is_the_one_that_the_command_makes():
    assert (DOCS / "benchmarks.md").read_text() == page(), "run python -m benchmarks.page"


def test_its_pictures_are_there():
    for picture in re.findall(r"\]\((benchmarks/[^)]+)\)", page()):
        assert (DOCS / picture).stat().st_size > 1000


def test_every_result_file_is_on_the_page_and_what_is_missing_is_not_measured(tmp_path):
    text = page()
    for path in RESULTS.glob("*.json"):
        rows = json.loads(path.read_text())["rows"]
        assert all(row["name"].replace("|", "\\|") in text for row in rows), path
    empty = page(tmp_path)
    assert empty.count("Not measured. `python -m benchmarks.") == len(KNOWN)


def test_a_suite_shows_ratios_shares_and_a_curve(tmp_path):
    machine = {"cpu": "X", "cores": 2, "memory_gib": 1.0, "devices": ["2 x cpu"], "versions": {}, "load_average": [0.5]}

    def row(name, ours, rivals=None, ratio=None, practice=()):
        return {
            "part": "net", "name": name, "unit": "u", "ours": ours, "rivals": rivals or {}, "ratio_best": ratio,
            "common_practice": list(practice), "repeats": {"ours": [ours]},
        }  # fmt: skip

    rivals = {"PyTorch, usual eager loop": 99.0, "PyTorch, fast": 50.0}
    content = {
        "machine": machine, "command": "c", "parts": {"net": {"machine": machine, "command": "c --only net"}},
        "rows": [
            row("Net, batch 8: 4 models", 75.0, rivals, 1.5, ("PyTorch, usual eager loop",)),
            row("Net, batch 8: 1 models of ours", 20.0), row("Net, batch 8: 4 models of ours", 75.0),
            row("Net, batch 8: share of the 10 GFLOP/s measured here", 0.25),
        ],
    }  # fmt: skip
    (tmp_path / "suite_cpu.json").write_text(json.dumps(content))
    text = page(tmp_path)
    assert "| Net, batch 8 | 4 | 75 steps/s | 50 (fast) | 1.50 | 25% | not measured |" in text
    assert "usual eager loop (common practice): 99" in text and "c --only net" in text
    draw(content, tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 1000
