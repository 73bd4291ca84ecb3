"""The end of a run: a bundle that predicts, and says what it was trained on."""

from __future__ import annotations

from pathlib import Path

from echoplane.data.groups import group_of
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import summarise
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, DataUse, Metric, NetworkSpec
from echoplane.models.card import with_card
from echoplane.models.export import export_bundle
from echoplane.training.cines import LabelledClips, answers_of
from echoplane.training.fit import FitResult

#: Figures of the validation that a bundle carries, as they are called there.
_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "accuracy_clips": "accuracy of clips"}


def pack(result: FitResult, folder: str | Path) -> Bundle:
    """Export the best weights of a run as a bundle, and save it.

    The probabilities are not calibrated yet and there is no threshold; ``echoplane calibrate`` adds both.

    Parameters
    ----------
    result : FitResult
    folder : str or Path
        Of the bundle.

    Raises
    ------
    BundleError
        When the exported network does not answer as the trained one does.
    """
    recipe, data = result.recipe, result.data
    facts = BundleFacts(
        name=recipe.name,
        vocabulary=data.views,
        network=NetworkSpec(recipe.network.name, recipe.network.options),
        recipe=data.prepare,
        offered=answers_of(recipe, data.views),
        labels=recipe.labels,
        sampling=recipe.data.rule,
        data=(*_uses(result, data.train, "training"), *(_uses(result, data.validation, "validation"))),
        metrics=_metrics(result.predictions) if result.predictions else (),
        licence=recipe.licence,
        notes=(
            f"Epochs trained: {len(result.history)}; weights of epoch {result.best_epoch + 1}.",
            *((result.seen,) if result.seen else ()),
        ),
    )
    bundle = with_card(export_bundle(result.network, facts))
    bundle.save(folder)
    return bundle


def _uses(result: FitResult, part: LabelledClips | None, use: str) -> tuple[DataUse, ...]:
    if part is None:
        return ()
    found = []
    for number, (store, title) in enumerate(zip(result.data.stores, result.data.names, strict=True)):
        rows = [row for row, of in zip(part.rows, part.store_of, strict=True) if of == number]
        if rows:
            groups = len({group_of(row) for row in rows})
            found.append(DataUse(title, "", use, len(rows), groups, store.info.origin))
    return tuple(found)


def _metrics(predictions: Predictions) -> tuple[Metric, ...]:
    summary = summarise(predictions)
    # One patient gives no interval: then all that a share can be is between 0 and 1.
    known = summary.patients > 1
    said = f"; of {summary.people}" if predictions.no_patient() else ""
    return tuple(
        Metric(
            name,
            (figure := summary.figures[key]).value,
            figure.low if known else 0.0,
            figure.high if known else 1.0,
            on=f"validation cines of the training run, which also chose the epoch{said}",
            cines=summary.cines,
            groups=summary.patients,
        )
        for key, name in _METRICS.items()
    )
