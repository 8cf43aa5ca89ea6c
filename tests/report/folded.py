"""What a heading speaks of and its section keeps folded away."""

import re


def folded_numbers(html: str) -> list[tuple[str, str]]:
    """``(heading, figure)`` of every figure in a section's heading that its section holds folded away only.

    Figures are numbers with a point. A section that draws its figures shows them, too.
    """
    found = []
    for section in re.findall(r"<section.*?</section>", html, re.S):
        heading = "".join(re.findall(r"<h2[^>]*>(.*?)</h2>", section, re.S)[:1])
        shown = re.sub(r"<h2[^>]*>.*?</h2>", " ", section, count=1, flags=re.S)
        shown = re.sub(r"<details.*?</details>", " ", shown, flags=re.S)
        if "<img" in shown:
            continue
        hidden = " ".join(re.findall(r"<details.*?</details>", section, re.S))
        open_, folded = _numbers(_text(shown)), _numbers(_text(hidden))
        told = _text(heading).strip()
        found += [(told, number) for number in _numbers(told) if number in folded and number not in open_]
    return found


def _text(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ").replace("−", "-")


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,]*\.\d+", text)
