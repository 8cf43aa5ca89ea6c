"""The command reference is made from the flags: none is missing, and none is there that a command does not take."""

import re

import pytest

from miajax.campaign.cluster.flags import ClusterFlags
from miajax.campaign.config import CampaignConfig
from miajax.campaign.presets import PRESETS
from miajax.cli import NAMES
from miajax.cli.command import Place
from miajax.cli.config_file import ConfigFiles
from miajax.cli.flags import flags_of
from miajax.studies.invocation import PageFiles
from tests.docs import pages  # noqa: F401  # finds command_pages

import command_pages  # isort: skip

PAGES = command_pages.pages()
SHARED = {name for of in (Place, ClusterFlags, PageFiles, ConfigFiles, CampaignConfig) for name in flags_of(of)}


def options(page: str) -> set[str]:
    return set(re.findall(r"^`{4}\{option\} --(\w+)", PAGES[page], re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_of_a_command_stands_on_its_page_or_among_the_shared_ones(name):
    run = command_pages.command(name)
    flags = run.known(run.default([]))
    own = options(f"{name}.md")
    assert own <= set(flags)
    assert set(flags) - own <= options("shared.md")
    if run.why_not:  # such a command names those of the shared ones that it takes
        assert all(f"`--{flag}`" in PAGES[f"{name}.md"] for flag in set(flags) - own)
    else:
        assert set(flags) >= SHARED


def test_the_shared_page_holds_exactly_the_shared_flags():
    assert options("shared.md") == SHARED


def test_the_index_links_every_command():
    assert set(re.findall(r"\]\((\w+)\.md\)", PAGES["index.md"])) >= {*NAMES, "shared"}
    assert set(PAGES) == {"index.md", "shared.md", *(f"{name}.md" for name in NAMES)}


def test_a_default_of_a_commands_own_is_told():
    assert "| `--split` | `bernoulli` |" in PAGES["audit.md"]
    assert "defaults of their own" not in PAGES["lira.md"]


def test_what_help_says_is_not_read_as_markup():
    assert command_pages._escaped("a_b <c> [d] *e*") == r"a\_b \<c> \[d\] \*e\*"
    assert command_pages._escaped("with --a_b") == "with `--a_b`"


def test_every_preset_is_told_with_its_source_and_what_was_measured():
    page = command_pages.presets_page()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == list(PRESETS)
    assert page.count("\nMeasured\n: ") == page.count("\nSource\n: ") == len(PRESETS)
    assert "`--num_shadows 64`" in page
