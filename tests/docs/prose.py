"""What readers read of a page or of a flag's help, sentence by sentence: no code, no tables, no addresses."""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 30
"""Words that a sentence may have."""
FORMULA = r" [=≥] .* [=≥+−] .*"
"""Such a sentence is read sign by sign, not as prose."""
PRIVATE = (
    r"what is asked",
    r"\bis asked\b(?! (for|to)\b)",
    r"\btold by\b",
    r"\b(is|are|was) told\b(?! apart)",
    r"\basked about\b",
    r"\basked of\b",
    r"\bmust/aim\b",
    r"\bcomes of\b",
    r"\bwho wants\b",
    r"\bthereof\b",
    r"\bwhereof\b",
    r"\bhence\b",
    r"\bin which case it\b",
    r"\bor not so\b",
    r"^(Who|Whoever) [^?]*\.$",
)
"""Turns of phrase that only this project has, and inverted clauses."""
REQUIREMENTS = r"^\|[^\n]*\|\s*(must|aim|must/aim)\s*\|"
"""A table of requirements belongs into an issue, never into the documentation."""


class Fault(NamedTuple):
    """What is wrong with a sentence."""

    rule: str
    sentence: str


def text_of(page: str) -> str:
    """A page's prose: no front matter, blocks of code, comments, formulas, directives, rows of tables, addresses."""
    page = re.sub(r"\A---\n.*?\n---\n", "", page, flags=re.DOTALL)
    page = re.sub(r"^ *(`{3,}|:{3,})\S*.*?^ *\1`*:*[ \t]*$", "", page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"<!--.*?-->|\$\$.*?\$\$", "", page, flags=re.DOTALL)
    page = re.sub(r"^( *\||%|\(.*\)=|<|:\w+:| {4,}\S).*$", "", page, flags=re.MULTILINE)
    page = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", page)
    page = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", page)
    count = itertools.count()
    return re.sub(r"`+[^`]*`+|\$[^$\n]*\$|https?://\S+", lambda _: f"code{next(count)}x", page)


def sentences(page: str) -> Iterator[str]:
    """The sentences of a page, headings and items of lists each by themselves."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=#)|\n(?=: )", text_of(page)):
        block = re.sub(r"^(?:[-*:]|\d+\.|#+) ", "", " ".join(block.split()))
        yield from filter(None, re.split(r" · |(?<=[.?!])[)*”\"]* (?=[A-ZΑ-ω*(“\[]|code\d|[a-z]['₀_(]? )", block))


def faults(page: str, most_stops: int = 1) -> list[Fault]:
    """What breaks a rule.

    Args:
      page: Markdown.
      most_stops: colons and semicolons that a sentence may have.
    """
    found: list[Fault] = []
    for sentence in sentences(page):
        if re.search(FORMULA, sentence):
            continue
        if len(sentence.split()) > LONGEST:
            found.append(Fault(f"more than {LONGEST} words", sentence))
        if len(re.findall(r"[;:](?=\s|$)", sentence)) > most_stops:
            found.append(Fault("a chain of colons and semicolons", sentence))
        found += [Fault(f"private: {each}", sentence) for each in PRIVATE if re.search(each, sentence)]
    if re.search(REQUIREMENTS, page, re.MULTILINE):
        found.append(Fault("a table of requirements", page.partition("\n")[0]))
    return found
