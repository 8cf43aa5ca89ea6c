"""No sentence of a report says more than its figures allow, or prints a number that nobody can read."""

import importlib
import inspect
import pkgutil
import re
import typing

import pytest

import miajax.report
import miajax.studies
from tests.studies.sentences import MAKERS

NEVER = {
    "chance without an interval": r"\b(no|not) (more|better) than chance",
    "one time": r"(?<![\d.,])1(\.0+)? times",
    "a bound that bounds nothing": r"(more than|up to|at most) 100(\.0+)? %",
    "no number": r"\b(nan|NaN|inf)\b|\bNone\b(?! of )",
    "minus zero": r"[-−]0(\.0+)?(?![\d.])",
    "an ASCII minus": r"(?<![\w.])-\d",
    "one of several": r"(?<![\d.,−:])1 (?!(is|was|has|does|times|costs|trades|stands)\b)[a-z]+s\b",
    "several of one": r"(?<![\d.,])(?:0|[2-9]|\d[\d,]*[02-9]) (model|record|example|group|attack|pair) (?!by\b)",
    "a verb that disagrees": r"(?<![\d.,])1 [a-z]+ (are|were|have|stand|differ|nearly copy|trade|lower)\b",
    "absence": r"(no leak|is safe\b|are safe\b|does not leak|leaks nothing|no risk|is anonymous|is private\b)",
    "digits in one row": r"(?<![.\d])\d{5,}|\.\d{9,}",
    "a power of ten": r"(?<!delta )(?<!epsilon )(?<![\d.])[\d.]+e[+-]?\d",  # delta and epsilon stand as they were typed
    "an empty place": r"\(\)|\[\]|  | [,.;:]|\.\.|;\.|:\.|,,",
}
UNSEEN = r"(measurably (more|better) than|above) chance"
SENTENCES = r"_(sentences?|banner|rule|remark)$|about_recipe"


def faults(text: str) -> list[str]:
    """What is wrong with a text by itself."""
    plain = text.replace("\u00a0", " ")
    return [what for what, pattern in NEVER.items() if re.search(pattern, plain)]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_sentences_say_what_figures_show_and_read_well(maker):
    found: dict[tuple[str, str], str] = {}
    count = 0
    for name, text in maker():
        count += 1
        wrong = faults(text)
        if re.search(SENTENCES, name) and not text.strip().endswith("."):
            wrong.append("no full stop")
        for what in wrong:
            found.setdefault((name, what), text)
    assert count > 20
    assert found == {}


def _makers_of_text():
    """Public functions of the modules of words that return a text or a list of texts."""
    for package in (miajax.report, miajax.studies):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"words$|report\.claims$|report\.provenance$", module.name):
                continue
            for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
                returned = typing.get_type_hints(function).get("return")
                if function.__module__ == module.name and not name.startswith("_") and returned in (str, list[str]):
                    yield f"{module.name.removeprefix('miajax.')}.{name}"


NO_SENTENCES = {
    "studies.stability.words.records",  # a noun
    "report.claims.lead_label",  # a name inside a sentence
    "report.privacy_words.epsilon_text",  # a number
    "report.blind_words.blind_banners",  # both banners, each by itself above
}


def test_every_function_that_makes_sentences_is_tried():
    tried = {name for maker in MAKERS for name, _ in maker()}
    assert set(_makers_of_text()) - tried == NO_SENTENCES


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("It finds no more than chance.", "chance without an interval"),
        ("It takes 1.0 times the undefended model's time.", "one time"),
        ("not more than 100.0\u00a0%", "a bound that bounds nothing"),
        ("an AUC of nan", "no number"),
        ("a change of −0.0 points", "minus zero"),
        ("a change of -3 points", "an ASCII minus"),
        ("1 models trained", "one of several"),
        ("2 model trained", "several of one"),
        ("1 example stand out", "a verb that disagrees"),
        ("The model is safe.", "absence"),
        ("1000000000000 rows", "digits in one row"),
        ("1e-12 of it", "a power of ten"),
        ("on (), which", "an empty place"),
    ],
)
def test_a_faulty_sentence_is_found(text, what):
    assert what in faults(text)
