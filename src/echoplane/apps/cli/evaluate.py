"""``echoplane evaluate`` and ``echoplane calibrate``: how good is it, and how sure may it be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echoplane.apps.cli._common import SPLIT_HELP, console, print_warning, printable, refuse_what_is_there

if TYPE_CHECKING:
    from echoplane.metrics.predictions import Predictions
    from echoplane.models.bundle import Bundle
    from echoplane.pipelines.calibrate import CalibrationReport
    from echoplane.pipelines.evaluate import Evaluation

#: A precision that is missed by more than this on patients left out is said to be missed.
SHORT_OF = 0.02

_EVALUATE = """Work out how good a network is on labelled cines that it was not trained on.

\b
  echoplane evaluate cv/predictions.npz -o report/            what cross-validation kept
  echoplane evaluate store/ --bundle my.echoplane -o report/  run a bundle over a store
  echoplane evaluate store/ --bundle run/bundle --split run/split.csv -o report/
  echoplane evaluate store/ --bundle new/bundle --against old.echoplane -o report/
  echoplane evaluate ours.npz --against baseline.npz -o report/

With a bundle it also says what predict would make of these cines (right, wrong, unsure), and how often the bundle's
prediction sets hold the true view. --against ends in a sentence: which of the two reads more cines right, by how much,
with its interval by patient and p-value.

Writes report.html (figures with 95 % intervals by patient, confusion for clips, sums and votes, reliability, ROC, risk
and coverage, the misread cines as small moving pictures, with what the network looked at), evaluation.json,
misread.csv, and for stores predictions.npz.
"""

_CALIBRATE = """Fit what makes a bundle's probabilities honest, and write a new bundle that carries it.

\b
  echoplane calibrate run/bundle run/validation.npz -o calibrated.echoplane     what training kept
  echoplane calibrate my.echoplane store/ --split run/split.csv -o calibrated.echoplane

Fits a temperature (or vector scaling) on cines, conformal sets, the probability below which the answer is 'unsure',
the limit above which a cine is unlike anything known, and, from stores, from when on a cine is taken for one with left
and right exchanged. Use cines that the network was not trained on. What is printed was measured on patients left out of
the fit.
"""


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    _register_evaluate(app)
    _register_calibrate(app)


def _register_evaluate(app: typer.Typer) -> None:
    @app.command("evaluate", help=_EVALUATE, short_help="Work out how good a network is on labelled cines.")
    def evaluate_command(
        inputs: Annotated[
            list[str], typer.Argument(metavar="INPUT...", help="Predictions (.npz), or stores.", show_default=False)
        ],
        output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")],
        bundle: Annotated[
            str | None, typer.Option(help="Bundle to run over stores.", show_default="the one that ships")
        ] = None,
        split: Annotated[str | None, typer.Option(help=SPLIT_HELP)] = None,
        calibrated: Annotated[
            bool | None,
            typer.Option(
                "--calibrated/--uncalibrated",
                help="Apply the bundle's calibration, as predict does.",
                show_default="calibrated where there is a bundle",
            ),
        ] = None,
        against: Annotated[
            str | None,
            typer.Option(help="Another model, to compare with: its predictions (.npz), its bundle, or 'default'."),
        ] = None,
        pictures: Annotated[
            list[str] | None, typer.Option(help="For .npz: store with the frames of misread cines. Repeatable.")
        ] = None,
        repeats: Annotated[int, typer.Option(min=10, help="Resamples of patients for the intervals.")] = 1000,
    ) -> None:
        from echoplane.errors import UsageError
        from echoplane.models.bundle import Bundle
        from echoplane.pipelines import evaluate

        stores = [p for p in inputs if not p.endswith(".npz")]
        if stores and pictures:
            raise UsageError(
                f"--pictures {pictures[0]}: names the frames of a file of predictions; those of {stores[0]} come from "
                "itself. Leave --pictures out."
            )
        used = Bundle.load(bundle) if stores or bundle else None
        facts = used.facts if used else None
        if calibrated and not used:
            raise UsageError(f"--calibrated: {inputs[0]} holds no calibration; name the --bundle whose it is.")
        # All that can be wrong with what was given is told before the stores are answered, which may take hours.
        rival = _rival(against, stores) if against else None
        shown = stores or pictures
        if against and stores and not isinstance(rival, Bundle) and rival:
            evaluate.check_shared(against, rival, stores, split)
        warnings = _trained_on((bundle, against), stores, split) if stores else []
        moving, words = evaluate.store_pictures(shown, used) if shown else (None, "")
        if stores:
            output.mkdir(parents=True, exist_ok=True)
        predictions = _read(inputs, used, split)
        if stores:
            predictions.save(output / "predictions.npz")
        name, theirs_name = _names(bundle or (facts.name if facts else inputs[0]), against or "")
        theirs_read = rival if not isinstance(rival, Bundle) else _read(stores, rival, split)
        other = (theirs_name, theirs_read) if theirs_read else None
        scaling = facts.calibration if facts and calibrated is not False else None
        theirs = rival.facts.calibration if isinstance(rival, Bundle) and calibrated is not False else None
        found = evaluate.evaluate(predictions, name, scaling, other, repeats, facts, theirs, warnings)
        for text in found.warnings[len(warnings) :]:
            print_warning(text)
        evaluate.write_evaluation(found, predictions, output, moving, words)
        _print_found(found, output)


def _trained_on(bundles: tuple[str | None, ...], stores: list[str], split: str | None) -> list[str]:
    """Warn of bundles that were trained on the cines that are to judge them, before these are answered."""
    from echoplane.pipelines.trained_on import trained_on

    paths = dict.fromkeys(path for path in bundles if path and not path.endswith(".npz"))
    warnings = [text for path in paths if (text := trained_on(path, stores, split))]
    for text in warnings:
        print_warning(text)
    return warnings


def _names(first: str, second: str) -> tuple[str, str]:
    """Return names for two models, which tell them apart: whole paths where the short names are alike."""
    short = _stem(first), _stem(second)
    return short if short[0] != short[1] or first == second else (first, second)


def _stem(path: str) -> str:
    """Return a name for a model: that of its file, or of the folder that holds it where the file has the usual name."""
    where = Path(path)
    usual = ("bundle", "predictions.npz", "validation.npz")
    return where.resolve().parent.name if where.name in usual else where.stem


def _rival(against: str, stores: list[str]) -> Bundle | Predictions:
    """Return the other model: its answers, or the bundle that is to answer the stores."""
    from echoplane.errors import UsageError
    from echoplane.metrics.predictions import Predictions
    from echoplane.models.bundle import Bundle

    if against.endswith(".npz"):
        return Predictions.load(against)
    if not stores:
        raise UsageError(f"--against {against}: a bundle needs stores to answer; give stores, or another .npz.")
    return Bundle.load(against)


def _print_found(found: Evaluation, output: Path) -> None:
    from echoplane.pipelines.evaluate import verdict

    out = console()
    for figure in ("accuracy", "balanced_accuracy", "family_accuracy", "ece"):
        if figure in found.summary.figures:
            out.print(f"{figure.replace('_', ' ')}: {found.summary.figures[figure]}", markup=False)
    for ending in found.promises.endings if found.promises else ():
        out.print(
            f"{ending.of}: {ending.right.value:.1%} right, {ending.wrong.value:.1%} wrong, "
            f"{ending.unsure.value:.1%} unsure",
            markup=False,
        )
    for sets in found.promises.sets if found.promises else ():
        out.print(
            f"sets for {sets.level:.0%} coverage: hold the true view {sets.coverage}, {sets.size:.2f} views on average",
            markup=False,
        )
    if found.comparison:
        out.print(verdict(found.comparison, found.name, found.against), markup=False)
    out.print(f"Report: {printable(str(output / 'report.html'))}", markup=False)


def _register_calibrate(app: typer.Typer) -> None:
    @app.command("calibrate", help=_CALIBRATE, short_help="Make a bundle's probabilities honest.")
    def calibrate_command(
        bundle: Annotated[str, typer.Argument(help="Bundle to start from; 'default' is the one that ships.")],
        inputs: Annotated[
            list[str], typer.Argument(metavar="INPUT...", help="Predictions (.npz), or stores.", show_default=False)
        ],
        output: Annotated[Path, typer.Option("--output", "-o", help="New bundle: a folder, or a .echoplane file.")],
        split: Annotated[str | None, typer.Option(help=SPLIT_HELP)] = None,
        method: Annotated[str, typer.Option(help="temperature or vector.")] = "temperature",
        precision: Annotated[
            float, typer.Option(min=0.0, max=1.0, help="Wanted share of right answers among those given; 0: no limit.")
        ] = 0.95,
        coverage: Annotated[
            list[float] | None,
            typer.Option(
                help="Share of prediction sets to hold the true view. Repeatable.", show_default="0.9 0.95 0.99"
            ),
        ] = None,
        per_view: Annotated[
            bool, typer.Option("--per-view", help="Conformal coverage for each view by itself.")
        ] = False,
        familiar: Annotated[
            float,
            typer.Option(min=0.0, max=1.0, help="Share of known cines to pass the check for unlike ones; 0: no check."),
        ] = 0.99,
        mirrored: Annotated[
            float,
            typer.Option(
                min=0.0,
                max=0.5,
                help="Share of cines that may be taken for mirrored, so that mirrored ones are noticed; 0: nobody "
                "looks. Needs stores.",
            ),
        ] = 0.03,
        on: Annotated[str, typer.Option(help="The data in words, kept in the bundle.")] = "",
        force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    ) -> None:
        from echoplane import config
        from echoplane.models.bundle import Bundle
        from echoplane.pipelines.calibrate import CalibrateRecipe, calibrate
        from echoplane.pipelines.calibrate_mirror import with_mirror_margin, without_mirror_margin

        refuse_what_is_there(output, force)
        loaded = Bundle.load(bundle)
        chosen = {"method": method, "precision": precision or None, "per_view": per_view, "known": familiar or None}
        levels = {"levels": sorted(coverage)} if coverage else {}
        recipe = config.from_mapping(CalibrateRecipe, {**chosen, **levels}, "options")
        said = on or ", ".join(Path(p).name for p in inputs)
        if not inputs[0].endswith(".npz") and _trained_on((bundle,), inputs, split):
            said += ", of which the network may have learned"
        predictions = _read(inputs, loaded, split)
        made, report = calibrate(loaded, predictions, recipe, said)
        if text := predictions.no_patient():
            print_warning(text)
        if not mirrored:
            made = without_mirror_margin(made)
        elif not inputs[0].endswith(".npz"):
            made = with_mirror_margin(made, predictions, _read(inputs, loaded, split, mirrored=True), mirrored)
        made.save(output)
        _print_report(report, recipe.precision, made.facts.thresholds.enough, output)


def _read(inputs: list[str], bundle: str | Bundle | None, split: str | None, *, mirrored: bool = False) -> Predictions:
    from echoplane.apps.cli._progress import progress
    from echoplane.pipelines.evaluate import predictions_from

    with progress("Answering turned around" if mirrored else "Answering", "cines") as bar:

        def step(done: int, total: int) -> None:
            if done == 1:
                bar.start(total)
            bar.step()

        predictions, left_out = predictions_from(inputs, bundle, split, step, mirrored=mirrored)
    if mirrored:
        return predictions
    for reason, count in left_out.items():
        console(stderr=True).print(f"left out {count} cines: {reason}", markup=False)
    return predictions


def _print_report(report: CalibrationReport, precision: float | None, enough: float | None, output: Path) -> None:
    from echoplane.pipelines.calibrate import least_answers

    out = console()
    out.print(f"{report.cines} cines of {report.people}; measured on those left out of the fit:", markup=False)
    out.print(f"  expected calibration error {report.ece_before:.3f} -> {report.ece_after:.3f}", markup=False)
    out.print(f"  negative log likelihood    {report.nll_before:.3f} -> {report.nll_after:.3f}", markup=False)
    for level, (covered, size) in report.coverage.items():
        out.print(f"  sets at {level}: hold the true view {covered:.3f}, {size:.2f} views on average", markup=False)
    if report.answered is not None:
        right = f", {report.right:.3f} of them right" if report.right is not None else ""
        out.print(f"  answered {report.answered:.3f} of the cines{right}", markup=False)
        if not report.reached and precision is not None:
            out.print(
                f"  no threshold reaches a precision of {precision:g} on {least_answers(precision)} or more of these "
                "cines; none was set",
                markup=False,
            )
        elif precision is not None and report.right is not None and report.right < precision - SHORT_OF:
            out.print(f"  that falls short of the {precision:g} asked for: more cines are needed, or a better network")
    if enough is None:
        out.print("  every clip of a cine is looked at: too few cines have more than two, or two changed answers")
    else:
        out.print(f"  two clips of a cine are enough where they agree with a probability of {enough:.2f} or more")
    out.print(f"Written to {printable(str(output))}", markup=False)
