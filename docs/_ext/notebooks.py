"""Tutorials as notebooks for Colab: ``python docs/_ext/notebooks.py`` writes them from the pages.

The page is the source. A notebook is the page without outputs, without links to other pages (they lead nowhere in
Colab), and with a first cell that installs miajax there.
"""

import re
from pathlib import Path

import jupytext
import nbformat

TUTORIALS = Path(__file__).parents[1] / "tutorials"
INSTALL = """# In Colab, this cell installs miajax. Elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q miajax"""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources(folder: Path = TUTORIALS) -> list[Path]:
    """The pages that are notebooks, in the order of their names."""
    return sorted(path for path in folder.glob("*.md") if path.read_text().startswith("---\njupytext:"))


def notebook(page: Path) -> str:
    """The notebook of a page, as JSON that depends on nothing but the page."""
    book = jupytext.read(page)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", cell.source)
        cell.metadata = {}
    book.cells.insert(1, nbformat.v4.new_code_cell(INSTALL))
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number}"
    book.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nbformat.writes(book, version=4).rstrip("\n") + "\n"


def main() -> None:
    for page in sources():
        (TUTORIALS / "notebooks" / f"{page.stem}.ipynb").write_text(notebook(page))


if __name__ == "__main__":
    main()
