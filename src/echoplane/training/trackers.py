"""Where figures go besides ``history.csv``: TensorBoard always, others by name when they are installed.

Keys and addresses come from the environment (``COMET_API_KEY``, ``MLFLOW_TRACKING_URI``, ``WANDB_API_KEY``), as the
trackers themselves read it. A recipe that holds one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from echoplane._optional import need
from echoplane.errors import UsageError


class Tracker(Protocol):
    """What a run needs of a tracker; Lightning's loggers have it."""

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Note the settings of the run."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Note figures at a step."""

    def finalize(self, status: str) -> None:
        """Write out what waits."""


class _Comet:
    """Comet through its own package: Lightning's logger, told to stay offline, writes nothing."""

    def __init__(self, folder: Path, name: str, options: dict[str, Any]) -> None:
        comet = need("comet_ml", "comet", "track a run with Comet")
        offline = bool(options.pop("offline", False))
        # Figures and settings only: no code, no patches, nothing that a library logs by itself.
        config = comet.ExperimentConfig(
            name=name, log_code=False, log_git_metadata=False, log_git_patch=False, auto_metric_logging=False,
            auto_param_logging=False, auto_histogram_weight_logging=False, auto_output_logging=False,
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
    logger: Tracker = MLFlowLogger(run_name=name, **{"experiment_name": "echoplane", **store, **options})
    return logger


#: Trackers by the name that a recipe uses.
TRACKERS: Mapping[str, Callable[[Path, str, dict[str, Any]], Tracker]] = {
    "comet": _Comet,
    "mlflow": _mlflow,
    "wandb": _Wandb,
}


def open_trackers(
    folder: Path, name: str, wanted: Mapping[str, Mapping[str, Any]], first_step: int = 0
) -> list[Tracker]:
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

    Raises
    ------
    UsageError
        For an unknown name.
    MissingExtraError
        For a tracker that is not installed.
    """
    unknown = [tracker for tracker in wanted if tracker not in TRACKERS]
    if unknown:
        raise UsageError(f"tracker {unknown[0]!r} is not known; known: {', '.join(TRACKERS)}.")
    from lightning.fabric.loggers.tensorboard import TensorBoardLogger

    board: Tracker = TensorBoardLogger(
        root_dir=str(folder), name="tensorboard", version="", purge_step=first_step + 1 if first_step else None
    )
    return [board, *(TRACKERS[tracker](folder, name, dict(options)) for tracker, options in wanted.items())]


def flatten(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Turn nested settings into ``{"fit.epochs": 20, ...}``, as trackers want them; lists become text."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            flat.update(flatten(value, name))
        else:
            flat[name] = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return flat
