"""How each attack is called, drawn and introduced in every report."""

import dataclasses

from miajax.report import palette


@dataclasses.dataclass(frozen=True)
class Face:
    """An attack as readers meet it.

    Attributes:
      label: its name in tables and legends.
      needs: what the attacker must have beside the target's answers, in a few words.
      colour, dash: its line in plots; members of one family share the colour.
    """

    label: str
    needs: str
    colour: str
    dash: str = "-"

    @property
    def inline(self) -> str:
        """The label inside a sentence: lower case, unless it is a name of its own."""
        return self.label if any(letter.isupper() for letter in self.label[1:]) else self.label.lower()


_IN_AND_OUT = "shadow models with and without the example"
_OUT_ONLY = "shadow models without the example"
_NOTHING = "no shadow models"

_FACES = {
    "lira_online": Face("LiRA online", _IN_AND_OUT, palette.BLUE),
    "lira_online_fixed": Face("LiRA online (fixed variance)", _IN_AND_OUT, palette.SKY, "--"),
    "lira_online_fullcov": Face("LiRA online (full covariance)", _IN_AND_OUT, palette.BLUE, ":"),
    "lira_offline": Face("LiRA offline", _OUT_ONLY, palette.GREEN),
    "lira_offline_fixed": Face("LiRA offline (fixed variance)", _OUT_ONLY, palette.GREEN, "--"),
    "global_threshold": Face("Global threshold", "one threshold for all examples; " + _NOTHING, palette.VERMILION),
    "gap": Face("Gap (right or wrong)", "the predicted label; " + _NOTHING, palette.SLATE, "-."),
    "entropy": Face("Entropy", _NOTHING, palette.SLATE),
    "modified_entropy": Face("Modified entropy", _NOTHING, palette.SLATE, "--"),
    "attack_p": Face("Attack-P", "reference examples", palette.ORANGE),
    "attack_r": Face("Attack-R", _OUT_ONLY, palette.ORANGE, "--"),
    "calibrated": Face("Calibrated difficulty", _OUT_ONLY, palette.ORANGE, "-."),
    "rmia_online": Face("RMIA online", _IN_AND_OUT + ", reference examples", palette.PURPLE),
    "rmia_offline": Face("RMIA offline", _OUT_ONLY + ", reference examples", palette.PURPLE, "--"),
    "base_online": Face("BASE online", _IN_AND_OUT, palette.PURPLE, "-."),
    "base_offline": Face("BASE offline", _OUT_ONLY, palette.PURPLE, ":"),
    "bavaria_t": Face("BaVarIA t", _IN_AND_OUT, palette.INK),
    "bavaria_n": Face("BaVarIA n", _IN_AND_OUT, palette.INK, "--"),
    "quantile": Face("Quantile regression", "reference examples", palette.GREEN, "-."),
    "loss_trace_iqr": Face("Loss trace IQR", "the loss after every epoch", palette.SKY),
    "gradient_norm": Face("Gradient norm", "the parameters", palette.SKY, "-."),
    "input_gradient_norm": Face("Gradient norm by the input", "the parameters", palette.SKY, ":"),
}


def face(attack: str) -> Face:
    """The attack's face; an attack that is not in the catalogue keeps its own name, in grey."""
    return _FACES.get(attack, Face(attack, "not described", palette.MUTED))


def known_attacks() -> tuple[str, ...]:
    """Names of all attacks in the catalogue."""
    return tuple(_FACES)
