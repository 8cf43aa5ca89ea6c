"""The documentation site: ``sphinx-build -W --keep-going docs docs/_build/html``.

Tutorials are executed while the site is built. ``MIAJAX_DOCS_EXECUTION=off`` leaves their outputs out, for
work on prose.
Nothing is fetched: no inventory of other projects, no font, no script.
"""

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MIAJAX_DOCS"] = "1"

import miajax  # noqa: E402

with (HERE.parent / "pyproject.toml").open("rb") as file:
    _URLS = tomllib.load(file)["project"].get("urls", {})
_SOURCE = os.environ.get("MIAJAX_DOCS_REPOSITORY", _URLS.get("Source", ""))  # https://github.com/OWNER/miajax

project = "miajax"
author = "The miajax authors"
copyright = author
version = release = miajax.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "made_pages",
    "notebook_links",
    "checked_links",
]
exclude_patterns = ["_build", "_ext", "**/.ipynb_checkpoints", "tutorials/notebooks"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
nitpicky = True
# Types of other projects have no pages here; names of ours are checked.
nitpick_ignore_regex = [(r"py:.*", r"(?!miajax).*")]
nitpick_ignore = [
    ("py:class", f"miajax.{inner}")  # of the engine, without a page
    for inner in (
        "defenses.treatment.Treatment",
        "estimators.reference.Estimator",
        "runs.folder.RunFolder",
        "training.dp.mechanism.Mechanism",
        "training.plan.ExecutionPlan",
        "training.trainer.Trainer",
    )
]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "substitution"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

nb_execution_mode = os.environ.get("MIAJAX_DOCS_EXECUTION", "force")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
nb_execution_show_tb = True
nb_output_stderr = "remove"  # progress of training
if nb_execution_mode == "off":
    suppress_warnings = ["misc.highlighting_failure"]  # the kernel, which is not asked, says how its cells are read

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "miajax"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
html_sidebars = {"index": [], "faq": [], "glossary": [], "auditors_guide": []}
html_theme_options = {
    "logo": {"text": "miajax", "image_light": "_static/mark.svg", "image_dark": "_static/mark.svg"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navbar_persistent": [],
    "navbar_end": ["search-button", "theme-switcher", "navbar-icon-links"],
    "icon_links": [{"name": "Source", "url": _SOURCE, "icon": "fa-brands fa-github"}] if _SOURCE else [],
    "show_prev_next": True,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "collapse_navigation": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
miajax_source = _SOURCE
