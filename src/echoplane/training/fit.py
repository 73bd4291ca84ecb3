"""The training run: one plain loop over epochs and steps, on Lightning Fabric.

Fabric brings devices, precision and distributed processes; the loop is ours, because a run must go on after a kill with
the very curve it would have had (docs/decisions/0012-training.md). For that, everything random in an epoch (order,
augmentation, dropout) is drawn from (seed, epoch) alone, and the learning rate is a function of the step.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn

from echoplane import config
from echoplane.data.dataset import Batch
from echoplane.errors import DataError
from echoplane.metrics.predictions import Predictions
from echoplane.models.modes import EvaluationMode
from echoplane.models.weights import hold_frozen, load, read_state
from echoplane.training.answers import answer_clips, as_predictions, ready
from echoplane.training.averaging import WeightMean
from echoplane.training.checkpoint import BEST, LAST, Progress, load_last, save_best, save_last
from echoplane.training.cines import LabelledClips, TrainingData, open_data
from echoplane.training.devices import gather_objects, make_fabric, precision_of, share_buffers
from echoplane.training.divergence import refuse_divergence
from echoplane.training.events import EpochEnded, Noted, Report, Started, Stepped
from echoplane.training.loading import Batches
from echoplane.training.losses import doubt_mirrored, soft_cross_entropy
from echoplane.training.optim import make_optimizer, rate_factor, set_rate
from echoplane.training.order import EpochBatches
from echoplane.training.origin import origin_of
from echoplane.training.recipe import TrainRecipe
from echoplane.training.run_folder import (
    HISTORY,
    TIMINGS,
    VALIDATION,
    Origin,
    absolute,
    check_folder,
    data_hashes,
    held,
    with_views_of,
    write_start,
    write_table,
    written_recipe,
)
from echoplane.training.scores import score
from echoplane.training.start import start_network
from echoplane.training.summary import device_line, summarise
from echoplane.training.trackers import Guarded, flatten, open_trackers
from echoplane.views import shows_the_heart


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a finished run gives.

    Attributes
    ----------
    folder : Path
    recipe : TrainRecipe
        With absolute paths.
    data : TrainingData
    network : nn.Module
        With the best weights, on the CPU, in evaluation mode.
    history : list of dict
        Figures of each epoch.
    best_epoch : int
        Counted from 0.
    predictions : Predictions or None
        Of the best weights on the validation cines.
    figures : mapping of str to float
        Of `predictions`.
    seen : str
        How many validation cines the first weights were trained on, in a sentence; empty where none.
    """

    folder: Path
    recipe: TrainRecipe
    data: TrainingData
    network: nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    predictions: Predictions | None
    figures: Mapping[str, float]
    seen: str = ""


def fit(
    recipe: TrainRecipe,
    folder: str | Path,
    *,
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
    accelerator: str = "auto",
    fabric: Fabric | None = None,
    report: Report | None = None,
    views: tuple[str, ...] = (),
) -> FitResult:
    """Train, or go on with, one network.

    Parameters
    ----------
    recipe : TrainRecipe
    folder : str or Path
        The run folder; see :mod:`echoplane.training.run_folder`.
    resume : bool
        Go on where the run in `folder` stopped, or start it where there is none. Its first weights are not needed
        where it has a state.
    devices, nodes : int
        Processes on this machine, and machines. More than one starts copies of the running script.
    accelerator : {"auto", "cpu", "cuda"}
    fabric : Fabric, optional
        One that is launched already, instead of the three before.
    report : callable, optional
        Gets the events of :mod:`echoplane.training.events`, in the first process only.
    views : tuple of str
        Stand for those that the recipe leaves open; left out: those of the stores that some cine shows. A run that
        goes on keeps the ones it began with.

    Raises
    ------
    UsageError
        When the folder holds a run and `resume` is False, another process trains in it, or the recipe makes no sense,
        as when clips are too small for the network. Loading processes that cannot start: the calling script needs its
        ``if __name__ == "__main__"``.
    StoreError, DataError, LeakError, BundleError
        When stores, labels, split or first weights do not fit.
    DataError
        When the loss, of training or of validation, or a gradient that is to be clipped, is no number any more.
    """
    folder, recipe = Path(folder), absolute(recipe)
    check_folder(folder, resume)
    fabric = fabric or make_fabric(recipe.fit, devices, nodes, accelerator)
    use = with_views_of(folder, recipe) if resume else recipe
    use = dataclasses.replace(use, views=use.views or views)
    data = open_data(use, lambda text: report(Noted(text)) if report and fabric.global_rank == 0 else None)
    run = _Run(recipe, folder, data, fabric, report, resume)
    with held(folder) if run.first else nullcontext():
        status = "failed"
        try:
            run.start()
            while not run.done:
                run.epoch()
            status = "success"
        finally:
            run.close(status)
        return run.finish()


#: What a recipe says that says nothing.
_DEFAULTS = config.to_mapping(TrainRecipe())


class _Run:
    def __init__(
        self,
        recipe: TrainRecipe,
        folder: Path,
        data: TrainingData,
        fabric: Fabric,
        report: Report | None,
        resume: bool,
    ) -> None:
        self.recipe, self.folder, self.data, self.fabric = recipe, folder, data, fabric
        self.computed_in = precision_of(fabric)
        self.scaled = getattr(fabric.strategy.precision, "scaler", None) is not None
        self.plain = self.started_with = config.to_mapping(recipe)
        self.data_hashes = data_hashes(data.stores, data.split)
        self.first = fabric.global_rank == 0
        self.report: Report = report if report and self.first else lambda _event: None
        torch.manual_seed(recipe.seed)
        # A state holds all weights: those that it began with may be gone.
        self.resume, self.goes_on = resume, resume and (folder / LAST).exists()
        use = dataclasses.replace(recipe.network, weights="") if self.goes_on else recipe.network
        first = start_network(use, data.views)
        self.network, self.weight_notes = first.network, first.notes
        if recipe.fit.channels_last:
            self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(self.network, recipe.optimizer)
        # Sets up copies for distributed training; parameters stay the same objects.
        self.model, self.stepper = fabric.setup(self.network, self.optimizer)
        self.mean = WeightMean(self.network, recipe.fit.ema) if recipe.fit.ema else None
        world, rank = fabric.world_size, fabric.global_rank
        order = EpochBatches(data.chance, data.epoch_clips, recipe.fit.batch, recipe.seed, rank, world)
        self.batches = Batches(data.train.clips, order, recipe.fit.workers, fabric.device.type == "cuda")
        self.targets = torch.from_numpy(data.train.targets)
        self.heart = torch.tensor([shows_the_heart(view) for view in data.views])
        self.progress = Progress()
        self.origin = Origin()
        self.timings: list[dict[str, float]] = []
        self.trackers: list[Guarded] = []

    @property
    def done(self) -> bool:
        settings, progress = self.recipe.fit, self.progress
        return progress.epoch >= settings.epochs or 0 < settings.patience <= progress.waited(settings.monitor)

    @property
    def kept(self) -> nn.Module:
        """The network that validates and is kept."""
        return self.mean.network if self.mean else self.network

    def start(self) -> None:
        """Begin, or go on where the folder's state is; write and tell what is known before the first step."""
        written = written_recipe(self.folder) if self.resume else None
        saved = load_last(self.folder, self.plain, self.data_hashes, _DEFAULTS, written) if self.resume else None
        if saved:
            self.progress, self.started_with = saved.progress, saved.recipe
            self._restore(saved.states)
        elif self.goes_on or (self.resume and (self.folder / HISTORY).exists()):  # written after the first state
            raise DataError(
                f"{self.folder}: cannot go on, for {LAST} is gone. Put it back, or train anew in another folder."
            )
        if not self.done:
            self.batches.check_started()
        n, (h, w) = self.data.train.clips.rule.frames, self.data.prepare.size
        table = summarise(self.network, (n, h, w), self.recipe.network.name)
        fit = self.recipe.fit
        if self.first:
            self.origin, notes = origin_of(self.folder, self.recipe.network.weights, self.data, bool(saved))
            self.weight_notes = (*notes, *self.weight_notes)
            # Trackers first: one that cannot be opened leaves nothing that would look like a run.
            self.trackers = open_trackers(
                self.folder, self.recipe.name, self.recipe.trackers, self.progress.epoch * len(self.batches),
                lambda text: self.report(Noted(text)),
            )  # fmt: skip
            if saved:  # a kill may have come between the state and its table
                write_table(self.folder / HISTORY, self.progress.history)
            else:
                write_start(self.folder, self.recipe, self.data, table, self.origin)
            for tracker in self.trackers:
                tracker.log_hyperparams(flatten(self.plain))
        where = device_line(self.fabric.device, self.fabric.world_size, self.computed_in)
        warnings = (*self.data.warnings, *self.weight_notes)
        counts = self.data.counts()
        self.report(
            Started(
                str(self.folder), table, counts, warnings, self.progress.epoch, fit.epochs, len(self.batches), where
            )
        )

    def epoch(self) -> None:
        """Train one epoch, validate, save."""
        number = self.progress.epoch
        # Dropout and whatever else draws inside the network: the same after a resume, another in each process.
        torch.manual_seed(
            int(np.random.SeedSequence([self.recipe.seed, number, self.fabric.global_rank]).generate_state(1)[0])
        )
        started = time.perf_counter()
        loss, waiting = self._train(number)
        seconds = time.perf_counter() - started
        # What validates must be what is kept, and what goes on what would go on after a resume.
        share_buffers(self.network, self.fabric.world_size)
        if self.mean:
            share_buffers(self.mean.network, self.fabric.world_size)
        figures: dict[str, float] = {"epoch": float(number), "train/loss": loss}
        if self.data.validation:
            found = self._score(self._predict(self.data.validation))
            # Whatever is monitored: accuracy has a value for answers that are no numbers, too.
            self._refuse("validation loss", found["loss"], number)
            figures.update({f"validation/{k}": v for k, v in found.items()})
        is_best = self.progress.add(figures, self.recipe.fit.monitor)
        self.timings.append({"epoch": number, "clips_per_second": self.data.epoch_clips / seconds,
                             "waiting": waiting / seconds})  # fmt: skip
        if self.first:
            self._save(is_best)
        self.fabric.barrier()
        speed = self.timings[-1]
        self.report(EpochEnded(number, figures, speed["clips_per_second"], speed["waiting"], is_best))

    def close(self, status: str) -> None:
        """Let trackers write out what waits."""
        for tracker in self.trackers:
            tracker.finalize(status)

    def finish(self) -> FitResult:
        """Read the best weights back and answer the validation cines with them."""
        load(self.kept, read_state(self.folder / BEST))
        predictions, figures = None, {}
        if self.data.validation:
            predictions = self._predict(self.data.validation)
            figures = self._score(predictions)
            if self.first:
                predictions.save(self.folder / VALIDATION)
        network = self.kept.to("cpu").eval()
        history, best = self.progress.history, self.progress.best_epoch
        seen = self.origin.seen
        return FitResult(self.folder, self.recipe, self.data, network, history, best, predictions, figures, seen)

    def _train(self, number: int) -> tuple[float, float]:
        fit, steps = self.recipe.fit, len(self.batches)
        self.network.train()
        hold_frozen(self.network)
        total, clips, waiting = 0.0, 0, 0.0
        batches = self.batches.epoch(number)
        for step in range(steps):
            asked = time.perf_counter()
            batch = next(batches)
            waiting += time.perf_counter() - asked
            factor = rate_factor(self.recipe.schedule, number * steps + step, steps, fit.epochs)
            set_rate(self.optimizer, self.recipe.optimizer.lr * factor)
            loss = self._step(batch, number, step)
            self._refuse("loss", loss, number, step)
            size = len(batch["row"])
            total, clips = total + loss * size, clips + size
            self.report(Stepped(number, step, loss))
        sums = self.fabric.all_reduce(torch.tensor([total, float(clips)]), reduce_op="sum")
        return float(sums[0] / sums[1]), waiting

    def _step(self, batch: Batch, number: int, step: int) -> float:
        clips = ready(batch["clip"], self.data.prepare, self.fabric.device, self.recipe.fit.channels_last)
        targets, settings = self.targets[batch["row"]], self.recipe.loss
        if settings.mirrored:
            targets = doubt_mirrored(targets, batch["mirrored"], self.heart, settings.mirrored)
        loss = soft_cross_entropy(self.model(clips), targets.to(self.fabric.device), settings.label_smoothing)
        self.stepper.zero_grad()
        self.fabric.backward(loss)
        if limit := self.recipe.fit.clip_gradient:
            norm = self.fabric.clip_gradients(self.model, self.stepper, max_norm=limit, error_if_nonfinite=False)
            assert norm is not None
            # A scaler leaves such a step out by itself and scales less from then on. Nothing else would.
            if not self.scaled and not math.isfinite(norm):
                self._refuse("loss", float(loss.detach()), number, step)
                self._refuse("norm of the gradient", float(norm), number, step)
        self.stepper.step()
        if self.mean:
            self.mean.update(self.network)
        return float(loss.detach())

    def _refuse(self, what: str, value: float, epoch: int, step: int | None = None) -> None:
        refuse_divergence(what, value, self.recipe, self.computed_in, epoch, step)

    def _predict(self, part: LabelledClips) -> Predictions:
        world, rank = self.fabric.world_size, self.fabric.global_rank
        with EvaluationMode(self.kept) as network, self.fabric.autocast():
            answers = answer_clips(
                network, part, self.data.prepare, batch=self.recipe.fit.batch, device=self.fabric.device,
                channels_last=self.recipe.fit.channels_last, rank=rank, world=world,
            )  # fmt: skip
        parts = [found for found in gather_objects(answers, world) if len(found[0])]
        items, logits = (np.concatenate([found[i] for found in parts]) for i in (0, 1))
        return as_predictions(items, logits, part, self.data.views)

    def _score(self, predictions: Predictions) -> dict[str, float]:
        assert self.data.validation is not None
        return score(predictions, self.data.validation.store_of, self.data.names)

    def _save(self, is_best: bool) -> None:
        if is_best:
            save_best(self.folder, self.kept)
        states: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "computed_in": self.computed_in,
        }
        if self.mean:
            states["mean"] = self.mean.network.state_dict()
            states["mean_steps"] = self.mean.steps
        save_last(self.folder, self.progress, self.started_with, states, self.data_hashes[0])
        write_table(self.folder / HISTORY, self.progress.history)
        write_table(self.folder / TIMINGS, self.timings)
        figures = {k: v for k, v in self.progress.history[-1].items() if k != "epoch"}
        rate = self.optimizer.param_groups[0]["lr"]
        for tracker in self.trackers:
            tracker.log_metrics({**figures, "lr": rate}, step=self.progress.epoch * len(self.batches))

    def _restore(self, states: Mapping[str, Any]) -> None:
        self.network.load_state_dict(states["network"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.fabric.strategy.precision.load_state_dict(states["precision"])
        before = states.get("computed_in", self.computed_in)
        if before != self.computed_in:
            self.weight_notes += (
                f"The run was computed in {before} so far and goes on in {self.computed_in}, as suits this machine: "
                "its figures will differ a little from those of a run on one machine.",
            )
        if self.mean:
            self.mean.network.load_state_dict(states["mean"])
            self.mean.steps = int(states["mean_steps"])
