"""The messages on the page of troubleshooting are what the commands print."""

import re
import shlex

import numpy as np
import pytest

from miajax.cli import main
from tests.docs.pages import DOCS

TOLD = re.findall(r"^```console\n\$ miajax (.+)\n(error: .+)\n```$", (DOCS / "faq.md").read_text(), re.MULTILINE)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    ill = [
        f"{age},{sex},{'yes' if age % 2 else 'no'}"
        for age, sex in zip(rng.integers(20, 90, 300), ["f", "m"] * 150, strict=True)
    ]
    table = "\n".join(["patient,age,sex,ill", *(f"P{row:04},{cells}" for row, cells in enumerate(ill))])
    (tmp_path / "patients.csv").write_text(table)
    (tmp_path / "german.csv").write_text("\n".join(["age,sex,ill", *ill]).replace(",", ";"))
    doses = [f"{'unknown' if row == 7 else row % 50},{'yes' if row % 3 else 'no'}" for row in range(300)]
    (tmp_path / "stray.csv").write_text("\n".join(["dose,ill", *doses]))
    labels = np.arange(200) % 4
    pixels = np.linspace(0.000175125, 254.997, 200 * 16 * 16 * 3).astype(np.float32)
    arrays = {
        "torch": (np.zeros((200, 3, 16, 16), np.uint8), labels),
        "floats": (pixels.reshape(200, 16, 16, 3), labels),
        "from_one": (rng.normal(size=(200, 5)), labels + 1),
        "nan": (np.where(np.arange(1000) == 7, np.nan, 1.0).reshape(200, 5), labels),
    }
    for name, (features, classes) in arrays.items():
        np.savez(tmp_path / name, features=features, labels=classes)
    return tmp_path


def test_the_page_tells_of_each_kind_of_mistake():
    assert len(TOLD) >= 20
    assert len(TOLD) == (DOCS / "faq.md").read_text().count("```console")


@pytest.mark.parametrize(("typed", "message"), TOLD, ids=[typed for typed, _ in TOLD])
def test_a_message_of_the_page_is_what_the_command_prints(typed, message, files, capsys):
    with pytest.raises(SystemExit) as left:
        main(shlex.split(typed))
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().replace(f"{files}/", "~/") == message
