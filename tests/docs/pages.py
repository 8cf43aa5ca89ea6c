"""Where the documentation lies, and the modules that make pages of it."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
WRITTEN = sorted(page for page in DOCS.rglob("*.md") if not {"_build", "commands"} & set(page.parts))
