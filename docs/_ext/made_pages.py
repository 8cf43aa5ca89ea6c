"""Writes the pages that are made from the code, before Sphinx reads the sources."""

from pathlib import Path

import command_pages
import schema_page


def write(into: Path) -> None:
    """Writes all made pages below ``into``, and touches none that is already as it should be."""
    made = {f"commands/{file}": text for file, text in command_pages.pages().items()}
    made |= {"presets.md": command_pages.presets_page(), "results_schema.md": schema_page.page(schema_page.load())}
    for file, text in made.items():
        path = into / file
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
    for left in (into / "commands").glob("*.md"):  # of a command that is no more
        if f"commands/{left.name}" not in made:
            left.unlink()


def setup(app):
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "reference"))
    return {"parallel_read_safe": True}
