"""The bar above every tutorial: the same page as a notebook, to download or to open in Colab."""

from pathlib import Path

import notebooks
from docutils import nodes

BADGE = '<p class="notebook-bar">{}</p>'
LINK = '<a class="notebook-link" href="{}"{}>{}</a>'
UPLOAD = "https://colab.research.google.com/"  # its dialog for files


def colab(repository: str, name: str) -> str:
    """Where Colab opens a tutorial: from the repository where it is known, else its page for uploads."""
    host = "https://github.com/"
    if not repository.startswith(host):
        return UPLOAD
    return f"https://colab.research.google.com/github/{repository.removeprefix(host).strip('/')}/blob/main/docs/tutorials/notebooks/{name}.ipynb"


def add_bar(app, doctree, docname):
    """Puts the links under a tutorial's title."""
    if docname not in tutorials(app):
        return
    name = docname.rsplit("/", 1)[-1]
    links = [
        LINK.format(f"../_notebooks/{name}.ipynb", " download", "Download this page as a notebook"),
        LINK.format(
            colab(app.config.miajax_source, name),
            "",
            "Open it in Colab" if app.config.miajax_source else "Upload it to Colab",
        ),
    ]
    if app.builder.format != "html":
        return
    bar = nodes.raw("", BADGE.format("".join(links)), format="html")
    next(iter(doctree.findall(nodes.title))).parent.insert(1, bar)


def tutorials(app) -> list[str]:
    return [f"tutorials/{path.stem}" for path in notebooks.sources(Path(app.srcdir) / "tutorials")]


def write_notebooks(app, failed):
    if failed is None and app.builder.format == "html":
        into = Path(app.outdir) / "_notebooks"
        into.mkdir(exist_ok=True)
        for path in notebooks.sources(Path(app.srcdir) / "tutorials"):
            (into / f"{path.stem}.ipynb").write_text(notebooks.notebook(path))


def setup(app):
    app.add_config_value("miajax_source", "", "html")
    app.connect("doctree-resolved", add_bar)
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True}
