"""The colours of every plot and page: one set, told apart by people with any kind of colour vision.

The series are Okabe and Ito's (Color Universal Design, 2008); the greys keep a contrast of 4.5:1 or more on white
wherever they carry text.
"""

INK = "#17212b"
MUTED = "#56626e"
FAINT = "#a3adb7"
RULE = "#dde3e8"
WASH = "#f4f6f8"
ACCENT = "#0b4f7d"
WARN = "#8a4b08"
WARN_WASH = "#fdf6ea"

BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#aa4499"
ORANGE = "#e69f00"
SKY = "#56b4e9"
SLATE = "#6b7680"

MEMBER = VERMILION
NON_MEMBER = BLUE

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
        ("MEMBER", MEMBER),
        ("NON_MEMBER", NON_MEMBER),
    )
}
