"""Flags in files: what --config reads, what --save_config writes, and that a file runs no code."""

import dataclasses
import importlib
import shlex

import pytest

from miajax.campaign.config import CampaignConfig, plain
from miajax.campaign.presets import preset
from miajax.cli import NAMES
from miajax.cli.audit import run as audit
from miajax.cli.command import Command
from miajax.cli.dpsgd import run as dpsgd
from miajax.cli.gate import run as gate
from miajax.cli.lira import run as lira
from miajax.cli.plan import run as plan
from miajax.cli.reproduce import run as reproduce
from miajax.errors import UserError
from miajax.runs.atomic import write_sealed
from miajax.studies.dpsgd.study import STUDY_FILE, DpsgdOptions


@pytest.fixture
def toml(tmp_path):
    """Writes a TOML file and returns its path as text."""

    def written(text: str, name: str = "run.toml") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return written


def refused(of: Command, *argv: str) -> str:
    with pytest.raises(UserError) as error:
        of.parse(list(argv))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_says_what_flags_say_and_what_is_typed_counts_before_it(toml):
    file = toml(
        'num-shadows = 8\nflip = false\nlearning_rate = 0.05\nkeep = ["logits", "losses"]\n'
        'show_records = true\nout = "runs/a b"'
    )
    typed = shlex.split(
        "--num_shadows 8 --no_flip --learning_rate 0.05 --keep logits losses --show_records --out 'runs/a b'"
    )
    assert lira.parse(["--config", file]) == lira.parse(typed)
    later = ["--flip", "--num_shadows", "4", "--keep", "logits"]
    assert lira.parse(["--num-shadows", "4", "--config", file, *later]) == lira.parse([*typed, *later])
    assert lira.parse([f"--config={file}", "--no-show-records"]).lira.show_records is False


def test_a_preset_in_a_file_gives_the_defaults_and_a_run_typed_beside_it_its_own(toml, monkeypatch):
    file = toml('preset = "digits_dp"\nnum_shadows = 8')
    assert lira.parse(["--config", file]).campaign == dataclasses.replace(preset("digits_dp"), num_shadows=8)
    stored = dataclasses.replace(preset("digits"), seed=7)
    monkeypatch.setattr("miajax.cli.command.stored_config", lambda path: stored)
    found = lira.parse(["--config", file, "--run", "somewhere"]).campaign
    assert found == dataclasses.replace(stored, num_shadows=8)


def test_flags_that_add_are_replaced_by_what_is_typed_too(toml):
    file = toml('run = "r"\nat_most = ["all:auc=0.6", "all:advantage=0.2"]')
    assert gate.parse(["--config", file]).at_most == ("all:auc=0.6", "all:advantage=0.2")
    assert gate.parse(["--config", file, "--at_most", "gap:auc=0.7"]).at_most == ("gap:auc=0.7",)


def test_pairs_are_a_table(toml):
    file = toml('preset = "paper"\n[data_path]\npurchase100 = "DIR/a.npy"\ncifar10 = "DIR"')
    typed = ["--preset", "paper", "--data_path", "purchase100", "DIR/a.npy", "cifar10", "DIR"]
    assert reproduce.parse(["--config", file]) == reproduce.parse(typed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("num_shadow = 8", "run.toml: num_shadow is no flag of miajax lira. Did you mean num_shadows?"),
        ("zzzz = 8", "run.toml: zzzz is no flag of miajax lira. miajax lira --help lists them."),
        ('epochs = "many"', "run.toml: --epochs many; expected a whole number."),
        ("epochs = [3]", "run.toml: --epochs [3]; expected a whole number."),
        ("epochs = 1.5", "run.toml: --epochs 1.5; expected a whole number."),
        ("learning_rate = nan", "run.toml: --learning_rate nan; expected a number."),
        ("epochs = 2026-01-01", "run.toml: --epochs datetime.date(2026, 1, 1); expected a whole number."),
        ("flip = 1", "run.toml: --flip 1; expected True or False."),
        ('keep = ["logits", "all"]', "run.toml: --keep all; expected one of logits, "),
        ("[recipe]\nepochs = 3", "has a table recipe; expected flags outside tables. Write the lines below [recipe]"),
        ("epochs = ", "run.toml is not TOML (Invalid value"),
        ("trust_code = true", "run.toml holds trust_code; expected flags of the command. Type --trust_code instead."),
        ('config = "other.toml"', "run.toml holds config; expected flags of the command."),
        ('data_path = "https://somewhere/x.npz"', "--data_path https://somewhere/x.npz is a URL"),
        ('attacks = ["a", "--trust_code"]', "run.toml: attacks is no flag of miajax lira."),
        ('keep = ["logits", "--trust_code"]', "run.toml: --keep holds --trust_code; expected values that are no"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_one_line(toml, text, said):
    assert said in refused(lira, "--config", toml(text))


def test_a_value_that_looks_like_a_flag_is_a_value(toml):
    assert str(lira.parse(["--config", toml('out = "--trust_code"')]).place.out) == "--trust_code"


def test_files_that_are_none_are_one_line(tmp_path, toml):
    assert "does not exist; expected a TOML file" in refused(lira, "--config", str(tmp_path / "none.toml"))
    assert f"For the settings of a run: --config {tmp_path}/config.json" in refused(lira, "--config", str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b'out = "\xe9"')
    assert "is not TOML" in refused(lira, "--config", str(tmp_path / "latin.toml"))


def test_a_flag_of_the_main_job_without_a_meaning_is_told_so(toml):
    said = refused(gate, "--config", toml("learning_rate = 1.0"))
    assert "run.toml: learning_rate has no meaning for miajax gate. It trains nothing" in said


def test_code_that_a_file_names_runs_only_when_it_is_typed_or_confirmed(toml):
    file = toml('model = "net.py:net"')
    said = refused(lira, "--config", file)
    assert "not run because a file asks for it" in said and "add --trust_code, or type --model net.py:net" in said
    assert lira.parse(["--config", file, "--trust_code"]).campaign.model == "net.py:net"
    assert lira.parse(["--config", file, "--model", "mlp"]).campaign.model == "mlp"
    assert lira.parse(["--config", file, "--model", "net.py:net"]).campaign.model == "net.py:net"
    said = refused(plan, "--config", toml('out = "plan"\ndataset = "data.py:rows"'))
    assert said.endswith("Type --dataset data.py:rows.") and "--trust_code" not in said


@pytest.fixture
def config(tmp_path) -> CampaignConfig:
    """Of a run whose ``config.json`` lies in the temporary folder; hardly a value is a default."""
    made = lira.parse(
        shlex.split("--preset digits_dp --num_shadows 12 --epochs 3 --seed 5 --keep logits --widths 32 16 --flip")
    ).campaign
    write_sealed(tmp_path / "config.json", plain(dataclasses.asdict(made)))
    return made


def test_the_config_json_of_a_run_is_taken_whole_and_what_is_typed_counts_before_it(tmp_path, config):
    file = str(tmp_path / "config.json")
    assert lira.parse(["--config", file]).campaign == config
    assert audit.parse(["--config", file, "--seed", "6"]).campaign == dataclasses.replace(config, seed=6)
    assert lira.with_config(["--config", file], "miajax lira") == ["--config", file]  # its flags count as not typed


def test_a_whole_configuration_stands_alone(tmp_path, config):
    file = str(tmp_path / "config.json")
    assert "two whole configurations" in refused(lira, "--config", file, "--run", str(tmp_path))
    assert "two whole configurations" in refused(lira, "--config", file, "--preset", "digits")
    assert "which miajax gate trains none of" in refused(gate, "--config", file)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"seed": 5', '"seed": 6'))
    assert "was changed or damaged" in refused(lira, "--config", file)
    assert "does not exist" in refused(lira, "--config", str(tmp_path / "no.json"))


def test_a_study_of_several_runs_has_its_options_in_its_file_too(tmp_path, config):
    options = DpsgdOptions(epsilons=(4.0, 2.0))
    asked = {"campaign": plain(dataclasses.asdict(config)), "options": plain(dataclasses.asdict(options))}
    write_sealed(tmp_path / STUDY_FILE, asked)
    found = dpsgd.parse(["--config", str(tmp_path / STUDY_FILE)])
    assert (found.campaign, found.dpsgd) == (config, options)


NEEDED = {
    "audit_target": "--run r --target t.npz",
    "audit_report": "--run r",
    "compare": "--run r --with s",
    "epsilon": "--members 100 --batch_size 10 --epochs 2 --epsilon 8",
    "export": "--run r --format sklearn --out e",
    "gate": "--run r --at_most all:auc=0.6 gap:auc=0.7",
    "import_signals": "--out i --source s --format arrays",
    "model_card": "--run r",
    "plan": "--out p --dataset digits",
    "runs": "--verb list --run r",
    "reproduce": "--preset here --data_path digits 'a \"b\"\\c' fashion_mnist ''",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_any_command_saves_it_reads_again(name, tmp_path, capsys):
    of = importlib.import_module(f"miajax.cli.{name}").run
    argv = shlex.split(
        NEEDED.get(name, "--num_shadows 12 --preset digits_dp --no_flip --keep logits --learning_rate 3")
    )
    file = tmp_path / "saved.toml"
    with pytest.raises(SystemExit) as end:
        of([*argv, "--save_config", str(file)])
    assert end.value.code == 0 and capsys.readouterr().out.startswith(f"written: {file}; miajax {name} --config")
    assert of.parse(["--config", str(file)]) == of.parse(argv)
    assert "exists; expected a new file" in refused(of, *argv, "--save_config", str(file))
    lines = file.read_text().splitlines()
    known = {line.removeprefix("# ").split(" = ")[0] for line in lines if " = " in line}
    assert {flag for flag in of.known() if flag not in ("config", "save_config", "trust_code")} <= known


def test_the_config_of_a_run_becomes_toml(tmp_path, config):
    file = tmp_path / "saved.toml"
    with pytest.raises(SystemExit):
        lira.parse(["--config", str(tmp_path / "config.json"), "--save_config", str(file)])
    assert lira.parse(["--config", str(file)]).campaign == config


def test_the_record_of_a_call_holds_what_the_file_said(toml):
    told = []
    of = dataclasses.replace(gate, act=lambda flags, called: told.append(called))
    of(["--config", toml('at_most = ["all:auc=0.6"]'), "--run", "r r"], "miajax gate")
    assert told[0].command == "miajax gate --at_most all:auc=0.6 --run 'r r'"
    assert told[0].typed == {"at_most", "run"}
