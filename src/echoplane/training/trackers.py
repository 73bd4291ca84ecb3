"""Where figures go besides ``history.csv``: TensorBoard always, others by name when they are installed.

Keys and addresses come from the environment (``COMET_API_KEY``, ``MLFLOW_TRACKING_URI``, ``WANDB_API_KEY``), as the
trackers themselves read it. A recipe that holds one is refused.

A tracker that cannot be opened ends a run before its first step. One that fails later is told of, once, and left out:
the run matters more than the curve that somebody watches, and ``history.csv`` has it all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from echoplane._optional import need
from echoplane.errors import EchoplaneError, UsageError

#: Parts of names that look like a secret; such options belong into the environment.
_SECRETS = ("key", "token", "password", "secret")


class Tracker(Protocol):
    """What a run needs of a tracker; Lightning's loggers have it."""

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Note the settings of the run."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Note figures at a step."""

    def finalize(self, status: str) -> None:
        """Write out what waits."""


#: MLflow's own patience (8 tries, of 2 minutes each) would hold a run for minutes, at its start and at
#: every figure.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@contextmanager
def _impatient() -> Iterator[None]:
    """Let MLflow find out soon that its server is away, unless the environment says how long it may take."""
    ours = {name: value for name, value in _PATIENCE.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


class Guarded:
    """A tracker whose failures do not reach the run.

    Parameters
    ----------
    name : str
        For the message.
    tracker : Tracker
    tell : callable
        Gets one sentence when the tracker fails for the first time; it is not asked for figures after that.
    """

    def __init__(self, name: str, tracker: Tracker, tell: Callable[[str], None]) -> None:
        self.name, self.tracker, self.tell = name, tracker, tell
        self.failed = False

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Note the settings of the run."""
        self._try(lambda: self.tracker.log_hyperparams(params))

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Note figures at a step."""
        self._try(lambda: self.tracker.log_metrics(metrics, step))

    def finalize(self, status: str) -> None:
        """Write out what waits, after a failure too: some of it may still go through."""
        self._try(lambda: self.tracker.finalize(status), again=True)

    def _try(self, call: Callable[[], None], *, again: bool = False) -> None:
        if self.failed and not again:
            return
        try:
            with _impatient():
                call()
        except Exception as error:  # noqa: BLE001 - whatever a tracker raises when its server or its disk is away
            if not self.failed:
                self.tell(
                    f"tracker {self.name} failed ({_in_short(error)}) and is left out from here on; "
                    "history.csv has all figures."
                )
            self.failed = True


class _Comet:
    """Comet through its own package: Lightning's logger, told to stay offline, writes nothing."""

    def __init__(self, folder: Path, name: str, options: dict[str, Any]) -> None:
        comet = need("comet_ml", "comet", "track a run with Comet")
        offline = bool(options.pop("offline", False))
        # Figures and settings only: no code, no patches, nothing about the machine, its user and what is installed on
        # it, nothing that a library logs by itself. Nor does a summary of a page go to the terminal.
        config = comet.ExperimentConfig(
            name=name, log_code=False, log_git_metadata=False, log_git_patch=False, log_env_details=False,
            auto_metric_logging=False, auto_param_logging=False, auto_log_co2=False, display_summary_level=0,
            auto_histogram_weight_logging=False, auto_output_logging=False,
            offline_directory=str(folder / "comet") if offline else None,
        )  # fmt: skip
        self.experiment = comet.start(
            online=not offline, experiment_config=config, **{"project_name": "echoplane", **options}
        )

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.experiment.log_parameters(params)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.experiment.log_metrics(metrics, step=step)

    def finalize(self, status: str) -> None:
        self.experiment.log_other("status", status)
        self.experiment.end()


class _Wandb:
    """Weights & Biases through its own package: Lightning's logger leaves runs open, so that folds would share one."""

    def __init__(self, folder: Path, name: str, options: dict[str, Any]) -> None:
        wandb = need("wandb", "wandb", "track a run with Weights & Biases")
        mode = {"mode": "offline"} if options.pop("offline", False) else {}
        # Figures and settings only: no code, no command line, nothing about the machine, nothing of what is printed.
        quiet = wandb.Settings(console="off", disable_code=True, disable_git=True, x_disable_meta=True,
                               x_disable_stats=True, x_save_requirements=False)  # fmt: skip
        self.run = wandb.init(name=name, dir=str(folder), settings=quiet, reinit="create_new",
                              **{"project": "echoplane", **mode, **options})  # fmt: skip

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.run.config.update(params)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.run.log(metrics, step=step)

    def finalize(self, status: str) -> None:
        self.run.finish(exit_code=0 if status == "success" else 1)


def _mlflow(folder: Path, name: str, options: dict[str, Any]) -> Tracker:
    need("mlflow", "mlflow", "track a run with MLflow")
    from lightning.pytorch.loggers import MLFlowLogger

    store = {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"} if options.pop("offline", False) else {}
    # Left out, MLflow notes who is logged in and which file was started.
    tags = {"mlflow.user": "", "mlflow.source.name": "echoplane", **options.pop("tags", {})}
    logger: Tracker = MLFlowLogger(run_name=name, tags=tags, **{"experiment_name": "echoplane", **store, **options})
    return logger


#: Trackers by the name that a recipe uses.
TRACKERS: Mapping[str, Callable[[Path, str, dict[str, Any]], Tracker]] = {
    "comet": _Comet,
    "mlflow": _mlflow,
    "wandb": _Wandb,
}


def open_trackers(
    folder: Path,
    name: str,
    wanted: Mapping[str, Mapping[str, Any]],
    first_step: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Guarded]:
    """Open TensorBoard and the trackers that a recipe names.

    Parameters
    ----------
    folder : Path
        Of the run.
    name : str
        Of the run.
    wanted : mapping of str to mapping
        Options by tracker; ``offline: true`` keeps everything in the run folder.
    first_step : int
        After a resume: what TensorBoard holds from this step on is forgotten, as the run will write it again.
    tell : callable
        As :class:`Guarded` takes it.

    Raises
    ------
    UsageError
        For an unknown name, and a tracker that cannot be opened.
    MissingExtraError
        For a tracker that is not installed.
    """
    unknown = [tracker for tracker in wanted if tracker not in TRACKERS]
    if unknown:
        raise UsageError(f"tracker {unknown[0]!r} is not known; known: {', '.join(TRACKERS)}.")
    from lightning.fabric.loggers.tensorboard import TensorBoardLogger

    folder.mkdir(parents=True, exist_ok=True)  # Comet and MLflow do not make it
    board: Tracker = TensorBoardLogger(
        root_dir=str(folder), name="tensorboard", version="", purge_step=first_step + 1 if first_step else None
    )
    opened = [Guarded("tensorboard", board, tell)]
    try:
        for tracker, options in wanted.items():
            opened.append(Guarded(tracker, _open(tracker, folder, name, dict(options)), tell))
    except EchoplaneError:
        for tracker_before in opened:
            tracker_before.finalize("failed")
        raise
    return opened


def _open(tracker: str, folder: Path, name: str, options: dict[str, Any]) -> Tracker:
    try:
        with _impatient():
            found = TRACKERS[tracker](folder, name, options)
            if tracker == "mlflow":
                found.run_id  # type: ignore[attr-defined]  # noqa: B018 - Lightning turns to the server only when asked
    except EchoplaneError:
        raise
    except Exception as error:  # whatever a tracker raises for a missing key, an unknown option, a server that is away
        raise UsageError(
            f"tracker {tracker!r} cannot be opened ({_in_short(error)}). Look at trackers.{tracker} in the recipe, and "
            "at its keys and addresses in the environment; `offline: true` needs none."
        ) from error
    return found


def _in_short(error: Exception) -> str:
    """Return kind and first line of an error, not longer than a line or two."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{f': {lines[0][:200]}' if lines else ''}"


def secrets_in(value: Any, name: str) -> Iterator[str]:
    """Yield the dotted names of settings that look like a secret, or are an address with a password in it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if any(word in str(key).lower() for word in _SECRETS):
                yield f"{name}.{key}"
            yield from secrets_in(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from secrets_in(inner, f"{name}[{number}]")
    elif isinstance(value, str) and re.search(r"://[^/\s]*:[^/\s]*@", value):
        yield name


def flatten(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Turn nested settings into ``{"fit.epochs": 20, ...}``, as trackers want them; lists become text.

    Of ``data.hold_out``, which names patients, only the number is given.
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            flat.update(flatten(value, name))
        elif name == "data.hold_out":
            flat[name] = len(value)
        else:
            flat[name] = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return flat
