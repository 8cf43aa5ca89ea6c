"""What all commands share: flags, defaults from a preset or a run, the record of a call."""

import dataclasses
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NoReturn, TypeVar

from rich.console import Console

from miajax.attacks.registry import ATTACKS
from miajax.campaign.cluster.flags import ClusterFlags, training_on
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.estimator_settings import refuse_typed
from miajax.campaign.event_files import listeners
from miajax.campaign.presets import PRESETS, preset
from miajax.campaign.progress import Reporter
from miajax.campaign.stored import stored_config
from miajax.campaign.together import join
from miajax.cli import BEGUN, config_file, flags, help
from miajax.cli.process import main
from miajax.cli.stores import READS, TRAINS, with_working_copies
from miajax.data.registry import dataset_names
from miajax.described import described
from miajax.errors import UserError
from miajax.models.mlp import ACTIVATIONS
from miajax.models.registry import MODELS
from miajax.plugins import trusting_code
from miajax.report.terminal import say
from miajax.runs import mounts
from miajax.runs.identity import fingerprint
from miajax.runs.locks import LEASES
from miajax.runs.mounts import Wanted
from miajax.runs.names import folder_name
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.results import FoundResult

Flags = TypeVar("Flags")
Options = TypeVar("Options")
Result = TypeVar("Result")
Study = TypeVar("Study", bound=FoundResult[Any])
NONE: Mapping[str, Any] = MappingProxyType({})
_OF_FILES = frozenset(flags.flags_of(config_file.ConfigFiles))
CHOICES: Mapping[str, Sequence[str]] = {
    "preset": tuple(PRESETS),
    "dataset": (*dataset_names(), "path/to/file.py:reader"),
    "model": (*MODELS, "path/to/file.py:name", "module:Class"),
    "activation": tuple(ACTIVATIONS),
    "lowering": ("cpu", "grouped", "patches", "unrolled"),
}


@described
@dataclasses.dataclass(frozen=True)
class Place:
    """Where a command starts from and where it writes."""

    preset: str | None = None
    """named campaign whose settings are the defaults of all other flags"""
    run: Path | None = None
    """an existing run folder, or its URL: its settings are the defaults, its models are used"""
    out: Path | None = None
    """run folder to write, or URL of an object store (s3://, gs://, az://; extra cluster);
    runs/<command>-<dataset>-<fingerprint> when not given"""
    leases: bool = False
    """keep processes apart by files that they renew, too: for network file systems whose locks do not reach all
    machines"""
    distributed: str | None = None
    """one of several processes that train one run: auto where srun, mpirun or a TPU pod started them, or
    HOST:PORT,PROCESSES,INDEX; each trains its own groups, the first reports"""
    trust_code: bool = False
    """run the Python file that the folder of --run names, if it is the one whose SHA-256 the run recorded"""
    log_dir: Path | None = None
    """folder for TensorBoard: progress, news and figures of attacks; takes the package tensorboard or tensorboardX"""


@dataclasses.dataclass(frozen=True)
class Command(Generic[Flags, Result]):
    """A command: call it with what was typed after its name.

    Attributes:
      name: after ``miajax``.
      about: what ``--help`` says: a paragraph, a blank line, examples.
      kind: dataclass of its flags.
      act: does what the flags say, and prints it.
      default: the flags that what was typed starts from; None where the dataclass's own defaults stand.
      choices: names that a flag takes, for ``--help``.
      why_not: why it takes none of the main job's flags, where it does not.
      urls: flags that take a URL of a store, and what their working copies must hold at first.
      import_s: seconds that imports took.
    """

    name: str
    about: str | None
    kind: type[Flags]
    act: Callable[[Flags, Invocation], Result]
    default: Callable[[Sequence[str]], Flags | None] = lambda argv: None
    choices: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict[str, Sequence[str]])
    why_not: str = ""
    urls: Mapping[str, Wanted] = dataclasses.field(default_factory=lambda: READS)
    import_s: float = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "import_s", time.perf_counter() - BEGUN)

    def parse(self, argv: Sequence[str], prog: str | None = None) -> Flags:
        """The flags that were typed; ``--help`` prints and leaves.

        Raises:
          UserError: whatever is wrong with them.
        """
        prog = prog or f"miajax {self.name}"
        argv = self.with_config(argv, prog)
        argv = with_working_copies(argv, {} if _asks_for_help(argv) else self.urls)
        default = self.default(argv)
        if _asks_for_help(argv):
            known = self.known(default)
            about = (self.about or "").replace(f"miajax {self.name}", prog)
            print(help.command_help(prog, about, known, {**CHOICES, **self.choices}))
            raise SystemExit(0)
        files = [(name, texts) for name, texts in flags.split(argv) if name.replace("-", "_") in _OF_FILES]
        rest = flags.joined([pair for pair in flags.split(argv) if pair not in files])
        try:
            given = flags.parse(self.kind, rest, default)
        except flags.UnknownFlag as error:
            raise self._refused(error, prog) from None
        if (file := flags.parse(config_file.ConfigFiles, flags.joined(files)).save_config) is not None:
            self._save(file, given, rest, prog)
        return given

    def known(self, default: Flags | None = None) -> dict[str, flags.Flag]:
        """Its flags by name, those that every command has among them."""
        return flags.flags_of(self.kind, default) | flags.flags_of(config_file.ConfigFiles)

    def with_config(self, argv: Sequence[str], prog: str) -> list[str]:
        """What was typed, with the flags of a TOML file that ``--config`` names before it.

        Raises:
          UserError: whatever is wrong with the file.
        """
        file = config_file.named("config", argv)
        if file is not None and config_file.is_whole(Path(file)):
            if not flags.flags_of(CampaignConfig).keys() <= self.known().keys():
                raise UserError(
                    f"--config {file} is the configuration of shadow models, which {prog} trains none of",
                    expected="a TOML file of flags",
                )
            for other in ("run", "preset"):
                if config_file.named(other, argv) is not None:
                    raise UserError(
                        f"--config {file} and --{other} are two whole configurations", expected="one of them"
                    )

        def unknown(where: str, error: flags.UnknownFlag) -> UserError:
            return self._refused(error, prog, f"{where}: ")

        return config_file.with_file(argv, self.known(), unknown)

    def _save(self, file: Path, given: Flags, argv: Sequence[str], prog: str) -> NoReturn:
        """Writes ``--save_config`` and leaves."""
        starts = [(name, texts) for name, texts in flags.split(argv) if name in ("preset", "run")]
        base = self.default(flags.joined(starts))
        config_file.saved(file, prog, flags.flags_of(self.kind, given), flags.flags_of(self.kind, base), _names(argv))
        print(f"written: {file}; {prog} --config {file}")
        raise SystemExit(0)

    def _refused(self, unknown: flags.UnknownFlag, prog: str, where: str = "--") -> UserError:
        """An unknown flag, or one that has no meaning here; ``where`` stands before its name."""
        elsewhere = flags.flags_of(Place) | flags.flags_of(ClusterFlags) | flags.flags_of(CampaignConfig)
        if self.why_not and unknown.name.removeprefix("no_") in elsewhere:
            return UserError(f"{where}{unknown.name} has no meaning for {prog}", remedy=self.why_not)
        near = flags.did_you_mean(f"--{unknown.name}", [f"--{each}" for each in self.known()])
        near = near if where == "--" else near.replace("--", "")
        remedy = near or f"{prog} --help lists them"
        return UserError(f"{where}{unknown.name} is no flag of {prog}", remedy=remedy)

    def __call__(self, argv: Sequence[str], prog: str | None = None) -> Result:
        prog = prog or f"miajax {self.name}"
        argv = self.with_config(argv, prog)
        called = Invocation(command_line(prog, argv), self.import_s, BEGUN, _names(argv))
        if (how := config_file.named("distributed", argv)) is not None and "distributed" in self.known():
            if config_file.named("cluster", argv) is not None:
                raise UserError("--distributed beside --cluster", expected="one of them: both hand models out")
            join(how)
        with trusting_code(_trusts(argv)), mounts.for_a_command():
            given = self.parse(argv, prog)
            called.files = getattr(given, "files", called.files)  # commands without a report have none
            called.files.check()
            result = self.act(given, called)
        for kind, path in called.beside.items():
            print(f"{kind}: {mounts.shown(str(path))}")
        return result

    def main(self, prog: str, argv: Sequence[str] | None = None) -> None:
        """Runs it as a process; see ``main``."""
        main(lambda typed: self(typed, prog), argv)


def _names(argv: Sequence[str]) -> frozenset[str]:
    return frozenset(name.replace("-", "_") for name, _ in flags.split(argv))


def _asks_for_help(argv: Sequence[str]) -> bool:
    return "--help" in argv or "-h" in argv


def defaults_from(argv: Sequence[str], wishes: Mapping[str, Any] = NONE, start: str = "digits") -> CampaignConfig:
    """The campaign of ``--run``, ``--config`` or ``--preset``, else the one for digits; ``--dataset`` keeps its recipe.

    Args:
      argv: what was typed.
      wishes: fields that an experiment sets otherwise where no run is given.
      start: preset to start from where neither is named.

    Raises:
      UserError: an unknown preset, or no run in that folder.
    """
    run, file = config_file.named("run", argv), config_file.named("config", argv)
    if run is not None:
        return stored_config(Path(run))
    if file is not None:
        return config_file.whole_campaign(Path(file))
    return dataclasses.replace(preset(config_file.named("preset", argv) or start), **wishes)


def _study_of(argv: Sequence[str]) -> Path | None:
    """The folder of a study that holds several runs: that of ``--run``, or of the ``study.json`` of ``--config``."""
    run, file = config_file.named("run", argv), config_file.named("config", argv)
    if run is None and file is not None and Path(file).name != "config.json":
        return Path(file).parent
    return None if run is None else Path(run)


def _trusts(argv: Sequence[str]) -> bool:
    """Whether ``--trust_code`` was typed; it counts before all other flags, whose defaults it may decide."""
    typed = {name.replace("-", "_"): texts for name, texts in flags.split(argv)}
    return typed.get("trust_code") in ([], ["True"], ["true"])


def folder_of(place: Place, experiment: str, dataset: str, identity: Mapping[str, Any]) -> Path:
    """Where this run lies: what was named, or a folder of its own for all that its models depend on."""
    if place.out is not None and place.run is not None and place.out != place.run:
        raise UserError(
            f"--out {place.out} and --run {place.run} name two folders",
            expected="one of them",
            remedy="--run continues and scores a run in its own folder",
        )
    named = place.out or place.run
    return named or Path("runs") / folder_name(experiment, dataset, fingerprint(identity))


def command_line(prog: str, argv: Sequence[str]) -> str:
    """What was typed, to be typed again."""
    return shlex.join([*prog.split(), *argv])


def study(
    name: str,
    about: str | None,
    options: Options,
    run: Callable[[Setup, Path, Options, Reporter, Invocation], Study],
    show: Callable[[Any], None],
    wishes: Mapping[str, Any] = NONE,
    start: str = "digits",
    identity: Callable[[Setup, Options], Mapping[str, Any]] = lambda setup, _: setup.identity(),
    stored: Callable[[Path], tuple[CampaignConfig, Options]] | None = None,
    choices: Mapping[str, Sequence[str]] = NONE,
) -> Command[Any, Study]:
    """The command of a study that starts from a shadow campaign; made when everything is imported.

    Args:
      name: of the command.
      about: what ``--help`` says first.
      options: the study's own flags, with their defaults.
      run: the study.
      show: prints what was found.
      wishes: fields of the campaign whose defaults are the experiment's own, where no run is given.
      start: preset that gives the defaults where none is named.
      identity: JSON of all that the study's models depend on; that of the campaign when not given.
      stored: reads ``--run`` where a study's folder is no run folder but holds several.
      choices: names that the study's own flags take, for ``--help``.
    """
    fields = [
        ("place", Place), ("cluster_flags", ClusterFlags), ("files", PageFiles), (name, type(options)),
        ("campaign", CampaignConfig),
    ]  # fmt: skip
    flags_of = dataclasses.make_dataclass("Flags", fields, frozen=True)

    def default(argv: Sequence[str]) -> Any:
        folder = _study_of(argv)
        if stored is not None and folder is not None:
            campaign, own = stored(folder)
        else:
            campaign, own = defaults_from(argv, wishes, start), options
        return flags_of(Place(), ClusterFlags(), PageFiles(), own, campaign)

    def act(typed: Any, called: Invocation) -> Study:
        with listeners(typed.place.log_dir) as heard, training_on(typed.cluster_flags):
            setup, own = Setup.of(typed.campaign, fit_batch="batch_size" not in called.typed), getattr(typed, name)
            if setup.estimator is not None:
                refuse_typed(setup.estimator, typed.campaign, called.typed)
            folder = folder_of(typed.place, name, setup.dataset.name, identity(setup, own))
            if typed.place.leases:
                (folder / LEASES).mkdir(parents=True, exist_ok=True)
            result = run(setup, folder, own, heard.reporter, called)
            heard.found(result.results)
        show(result.found)
        print_end(result.found.timing, result.folder)
        return result

    return Command(name, about, flags_of, act, default, {"attacks": tuple(ATTACKS), **choices}, urls=TRAINS)


def print_end(timing: Mapping[str, float], folder: Path) -> None:
    """Where the seconds went and where the report lies, on standard output."""
    spent = ", ".join(f"{part.removesuffix('_s')} {seconds:.1f}" for part, seconds in timing.items())
    say(Console(highlight=False), f"seconds: {spent}")
    print(mounts.shown(f"report: {folder / 'report.html'}"))
