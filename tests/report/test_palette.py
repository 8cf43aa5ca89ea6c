"""Colours that stay apart for every reader, and the member's, the same everywhere."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from miajax.attacks.registry import ATTACKS
from miajax.report import palette
from miajax.report.attack_faces import face

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
_VISION = {
    "any": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
}  # fmt: skip
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_APART = 14.0  # CIE76; 2.3 is a just noticeable difference


def _linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _seen(colour: str, vision: str) -> np.ndarray:
    """The colour in CIELAB, as somebody with this vision sees it."""
    xyz = _XYZ @ np.clip(_VISION[vision] @ _linear(colour), 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _nearest(colours: tuple[str, ...], vision: str) -> tuple[float, str, str]:
    pairs = itertools.combinations(colours, 2)
    return min((float(np.linalg.norm(_seen(a, vision) - _seen(b, vision))), a, b) for a, b in pairs)


def test_the_distance_is_that_of_the_textbook():
    np.testing.assert_allclose(_seen("#ff0000", "any"), [53.24, 80.09, 67.20], atol=0.05)
    assert _nearest(("#ff0000", "#00aa00"), "any")[0] > 100 > 60 > _nearest(("#a05000", "#707000"), "deuteranopia")[0]


@pytest.mark.parametrize("vision", _VISION)
def test_colours_of_attacks_stay_apart_for_every_colour_vision_light_and_dark(vision):
    for colours in (palette.SERIES, tuple(palette.DARK[colour] for colour in palette.SERIES)):
        distance, one, other = _nearest(colours, vision)
        assert distance >= _APART, f"{one} and {other} are {distance:.1f} apart under {vision}"


@pytest.mark.parametrize("vision", _VISION)
def test_members_and_non_members_are_far_apart(vision):
    for colours in (
        (palette.MEMBER, palette.NON_MEMBER),
        (palette.DARK[palette.MEMBER], palette.DARK[palette.NON_MEMBER]),
    ):
        assert _nearest(colours, vision)[0] >= 40


def test_no_two_attacks_are_told_apart_by_dashes_alone():
    looks = {(face(name).colour, face(name).marker) for name in ATTACKS}
    assert len(looks) == len(ATTACKS)
    assert "o" not in {marker for _, marker in looks}  # drawn in the place of none where points are few


def test_every_plot_draws_an_attack_by_its_whole_look():
    """A plot that takes colour and dash alone would draw two attacks alike but for the dash."""
    partial = [
        file.name
        for file in sorted(Path(palette.__file__).parents[1].rglob("*.py"))
        if file.name != "attack_faces.py" and re.search(r"(look|face\(\w+\))\.dash\b", file.read_text())
    ]
    assert not partial


def test_members_are_coloured_by_the_constants_wherever_they_are_named():
    """A colour of its own beside the word would leave one report unlike the others."""
    wrong = []
    for file in sorted(Path(palette.__file__).parents[1].rglob("*.py")):
        for line in file.read_text().splitlines():
            if re.search(r'"[^"]*\bmembers?"', line) and re.search(r"palette\.(?!MEMBER|NON_MEMBER)[A-Z]", line):
                wrong.append(f"{file.name}: {line.strip()}")
    assert not wrong


def test_every_colour_of_a_plot_has_one_for_dark_pages():
    own = {value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)}
    assert own == set(palette.DARK)
