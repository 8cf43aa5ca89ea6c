"""The colours of every plot and page: one set, told apart by people with any kind of colour vision.

The series start from Okabe and Ito's (Color Universal Design, 2008); purple and the dark set are moved so that all stay
apart under protanopia and deuteranopia too (a test measures it). The greys keep a contrast of 4.5:1 or more wherever
they carry text. ``DARK`` holds what each colour becomes on a dark page.
"""

INK = "#17212b"
MUTED = "#56626e"
FAINT = "#a3adb7"
RULE = "#dde3e8"
WASH = "#f4f6f8"
ACCENT = "#0b4f7d"
WARN = "#8a4b08"
WARN_WASH = "#fdf6ea"
PAPER = "#ffffff"
DESK = "#eceff2"

BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#7d2a8a"
ORANGE = "#e69f00"
SKY = "#56b4e9"
SLATE = "#626a73"
SERIES = (VERMILION, SLATE, ORANGE, PURPLE, BLUE, SKY, GREEN, INK)
"""Colours of lines that stand beside one another."""

MEMBER = VERMILION
NON_MEMBER = BLUE
VULNERABLE = MEMBER
"""Vulnerable examples, and maps that speak for the label: what membership shows in."""
SAFE = NON_MEMBER

DARK = {
    INK: "#e8edf2",
    MUTED: "#a7b3bf",
    FAINT: "#66727e",
    RULE: "#36414c",
    WASH: "#1f2731",
    ACCENT: "#7cc0f2",
    WARN: "#f0b45c",
    WARN_WASH: "#2c2416",
    PAPER: "#161c23",
    DESK: "#0d1116",
    BLUE: "#3390f0",
    VERMILION: "#e0661a",
    GREEN: "#12c98a",
    PURPLE: "#9a6cb8",
    ORANGE: "#f6d34f",
    SKY: "#b4ccff",
    SLATE: "#9a9ca0",
}
"""What stands for each colour on a dark page."""

PAGE = {
    name.lower().replace("_", "-"): colour
    for name, colour in (
        ("INK", INK),
        ("MUTED", MUTED),
        ("FAINT", FAINT),
        ("RULE", RULE),
        ("WASH", WASH),
        ("ACCENT", ACCENT),
        ("WARN", WARN),
        ("WARN_WASH", WARN_WASH),
        ("PAPER", PAPER),
        ("DESK", DESK),
        ("MEMBER", MEMBER),
        ("NON_MEMBER", NON_MEMBER),
    )
}
PAGE_DARK = {name: DARK[colour] for name, colour in PAGE.items()}
