"""What notes know of themselves."""

import copy
import dataclasses
import json
import pickle

from miajax.notes import Note, as_note, headed, not_done, noted


def test_a_note_is_its_text_wherever_text_is_read():
    note = noted("{} of {:.1f} {{scores}} are {what}.", 3, 8.04, about=["gap", "lira"], what="missing")
    assert note == "gap, lira: 3 of 8.0 {scores} are missing."
    assert json.loads(json.dumps([note])) == [note]
    assert (note.words, note.numbers, note.about) == (
        ("", " of ", " {scores} are missing."),
        ("3", "8.0"),
        ("gap", "lira"),
    )


def test_braces_in_words_of_the_user_are_words():
    assert noted("{column} = {}", 3, column="{}") == "{} = 3"


def test_a_note_within_a_note_keeps_its_numbers():
    reason = noted("needs {} models", 2)
    note = not_done("lira", "run on {} models", reason, 1)
    assert note == "lira was not run on 1 models: it needs 2 models." and note.numbers == ("1", "2")
    outer = headed(["epsilon 8"], note)
    assert outer == f"epsilon 8: {note}" and outer.numbers == note.numbers and outer.about == ("epsilon 8",)


def test_copies_of_a_note_know_the_same():
    @dataclasses.dataclass
    class Holder:
        notes: tuple[str, ...]

    note = noted("{} is null.", 2, about=["gap"], null=True)
    for other in (
        copy.deepcopy(note),
        pickle.loads(pickle.dumps(note)),
        dataclasses.asdict(Holder((note,)))["notes"][0],
    ):
        assert type(other) is Note and other == note and vars(other) == vars(note)


def test_a_note_is_read_from_its_text_as_it_was_written():
    for note in (
        noted("TPR at FPR {} is null: it takes {} non-members, there are {}.", "0.0001", 10000, 150, about=["gap"],
              null=True),
        noted("{} of {} scores are missing and left out.", 3, 1200, about=["all attacks"]),
        not_done("quantile", "run", "needs features"),
    ):  # fmt: skip
        read = Note.from_json(str(note))
        assert read == note and vars(read) == vars(note)
    for text in ("patients is synthetic: 3 figures.", "Members: 3.", "1,200 of 3 are missing."):
        assert Note.from_json(text) == text and vars(Note.from_json(text)) == vars(as_note(text))


def test_any_sentence_can_be_a_note():
    assert as_note("a: 3 {} b").about == () and as_note("a: 3 {} b") == "a: 3 {} b"
