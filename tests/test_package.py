"""What is installed: a wheel with the command, and one version everywhere."""

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import miajax

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_stands_in_one_place_and_files_for_people_agree():
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]
    (cited,) = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[0]
    assert (cited, newest) == (miajax.__version__, miajax.__version__)


def test_neither_python_nor_a_dependency_has_an_upper_bound_without_a_reason_beside_it():
    assert "<" not in PROJECT["requires-python"]
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.match(r'\s*(\w+ = \[)?"[\w\[\],.-]+[^"]*(<|==|~=)', line):
            assert "#" in line, f"{line.strip()}: write the reason of the bound beside it"


def test_every_dependencys_lowest_version_is_listed():
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "tests" / "lowest.txt").read_text(), re.M))
    for each in PROJECT["dependencies"]:
        name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", each).groups()
        assert (pinned[name] + ".0.0").startswith(version), each


def test_the_extras_that_docs_name_are_there_and_the_pages_name_no_other():
    extras = set(PROJECT["optional-dependencies"])
    assert {"cuda", "tpu", "tfds", "estimators", "cluster", "docs", "test"} <= extras
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for named in re.findall(r"(?:miajax|['\" ]\.)\[([a-z0-9,-]+)\]", page.read_text()):
            assert set(named.split(",")) <= extras, f"{page}: {named}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (file,) = place.glob("*.whl")
    return file


@pytest.mark.slow
def test_the_wheel_holds_types_templates_and_the_schema_and_nothing_of_tests(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"miajax/py.typed", "miajax/report/templates/page.html", "miajax/schemas/results.schema.json"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"miajax", f"miajax-{miajax.__version__}.dist-info"}


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment_outside_the_clone(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    binaries = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    installed = subprocess.run([binaries / "pip", "install", "-q", wheel], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    alone = {"PATH": str(binaries), "HOME": str(tmp_path)}  # above all no PYTHONPATH
    ran = subprocess.run(
        [binaries / "miajax", "lira", "--num_shadows", "4", "--epochs", "2", "--out", "run"],
        cwd=tmp_path, capture_output=True, text=True, env=alone,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "lira_online" in ran.stdout and (tmp_path / "run" / "report.html").is_file()
    from_library = "import miajax as mj; print(mj.open_run('run').member.shape, mj.__file__)"
    command = [binaries / "python", "-c", from_library]
    asked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=alone)
    assert asked.stdout.startswith("(4, 1797)") and str(ROOT) not in asked.stdout, asked.stderr
