"""The matrix of environments: ``nox`` runs all of it, ``nox -s tests-3.13`` one.

Every session installs into an environment of its own. ``.ci/run`` is what every change must pass; this is what a
release must pass as well.
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False  # the missing ones are listed as skipped
LOWEST = Path("tests") / "lowest.txt"


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The default tests, with the newest versions that pip finds."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The default tests with the lowest versions that ``pyproject.toml`` allows."""
    session.install("-c", str(LOWEST), "-e", ".[test]")
    session.run("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", *session.posargs)


@nox.session(python=["3.11", "3.13"])
def wheel(session: nox.Session) -> None:
    """The wheel alone, outside the clone: the command and ten lines of library."""
    session.install("build")
    place = Path(session.create_tmp())
    session.run("python", "-m", "build", "--outdir", str(place / "dist"), ".", silent=True)
    session.install(*map(str, (place / "dist").glob("*.whl")))
    with session.chdir(place):
        session.run("miajax", "lira", "--num_shadows", "16")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and layers."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The site: tutorials executed, warnings as errors."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-E", "docs", "docs/_build/html")
