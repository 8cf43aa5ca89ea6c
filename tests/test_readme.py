"""What the README shows is what happens."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_library_example_runs(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert "(32, 1797)" in capsys.readouterr().out
    assert (tmp_path / "runs" / "first" / "report.html").is_file()


def test_continuous_integration_runs_the_readmes_test_command():
    command = re.search(r"<!-- test command -->\n```\n(.*?)\n```", README)
    assert command and "pip install" in command[1] and "&& pytest" in command[1]
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()


def test_every_file_the_readme_names_exists():
    for name in re.findall(r"`((?:docs|benchmarks)/[\w./-]*|CHANGELOG\.md|CITATION\.cff)`", README):
        assert (ROOT / name).exists(), name


def test_every_link_and_picture_of_the_readme_is_there():
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in target]
    assert len(targets) > 20
    for target in targets:
        assert (ROOT / target).exists(), target
