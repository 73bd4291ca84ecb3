"""The card of the weights, from the JSON files of the measures and nothing else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from echoplane.views import MAIN_VIEWS, view
from measure import beside, cost, development, examinations, fresh, novelty, robustness, text
from measure.results import Row, load, of_today, percent, points, ranged, table

ROOT = Path(__file__).parents[3]
#: Where the card will lie, for links to the pictures.
HOME = ROOT / "src" / "echoplane" / "weights" / "default"
#: A change of this much is named among the failures, and a recall below this.
NOTABLE, LOW = -0.05, 0.85


def build(out: Path, pictures: Path) -> str:
    """Return the card.

    Parameters
    ----------
    out : Path
        Folder of the measures, with ``about.json``; a part that was not measured is left out.
    pictures : Path
        Folder of the contact sheets.
    """
    about = load(out, "about") or {}
    parts = [
        head(about),
        purpose(about),
        data(about),
        recipe(about),
        _section("Phantom patients", _phantom(load(out, "phantom"))),
        _section("Whole examinations of phantom patients", _examinations(load(out, "examinations"))),
        _section("Beside other networks", _beside(load(out, "beside"))),
        _section("Real development clips", _development(load(out, "development"))),
        _section("Calibration", _calibration(about)),
        _section("Robustness, on phantoms", _drawn(load(out, "robustness")) + _robustness(load(out, "robustness"))),
        _section("Text on the picture", _drawn(load(out, "text")) + _text(load(out, "text"))),
        _section(
            "What is no heart", _drawn(load(out, "novelty")) + _novelty(load(out, "novelty"), load(out, "development"))
        ),
        _section("Cost", _cost(load(out, "cost"))),
        _section("Where it fails", failures(out, pictures)),
    ]
    return "\n".join(part for part in parts if part)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _drawn(facts: Row | None) -> str:
    """Say so where phantoms were drawn and named as by an earlier version."""
    if not facts or of_today(facts):
        return ""
    return "Phantoms here are drawn and named as by an earlier version, which named some of them wrongly.\n\n"


def head(about: Row) -> str:
    """Return title and what the network is."""
    n, h, w = about["clip_shape"]
    return (
        f"# Weights `{about['name']}`\n\n"
        f"Tells which standard view of the heart an ultrasound clip shows. Network {about['network']}, "
        f"{about['parameters']:,} parameters, on clips of {n} frames of {h} x {w} pixels. Licence of the weights: "
        f"{about['licence']}. Every figure below was measured by `tools/weights/make_default.py`; intervals are 95 %, "
        "by resampling patients or groups.\n"
    )


def purpose(about: Row) -> str:
    """Return what the weights are for and what they must not be used for."""
    views = ", ".join(f"{label} ({view(label).meaning})" for label in about["answers"])
    others = ", ".join(label for label in about["vocabulary"] if label not in about["answers"])
    return (
        "## Use\n\n"
        f"Answers: {views}. Everything else is `other`; the network itself tells apart {others}. Below a probability "
        f"of {about['min_probability']:.2f}, or when the clip is unlike what it was trained on, the answer is "
        "`unsure`.\n\n"
        "Meant for sorting archives, for choosing clips for research, and as a start for training on own clips. "
        "Adult transthoracic B-mode clips; look at samples of your own before you trust it.\n\n"
        "Not to be used for diagnosis, for measuring, for guiding a probe on a patient, or for anything that a "
        "patient's care depends on: it is no medical device, no clinician has checked its labels, and it was never "
        "tested on a clinical population. Not for transoesophageal, paediatric, foetal or stress studies, contrast, "
        "3D, or colour Doppler. `unsure` does not catch every mistake.\n"
    )


def data(about: Row) -> str:
    """Return sources, licences and counts."""
    rows = [(d["name"], d["licence"], d["use"], d["cines"], d["groups"], d["note"]) for d in about["data"]]
    header = "| source | licence | use | cines | patients or groups | note |\n|---|---|---|---:|---:|---|\n"
    return "## Data\n\n" + header + "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)


def recipe(about: Row) -> str:
    """Return how the weights were trained."""
    rows = [
        (
            f"{number}: {s['name']}",
            s["cines"],
            f"{s['frames']} x {s['size']}",
            s["epochs"],
            s["batch"],
            s["lr"],
            s["seed"],
            s["commit"],
        )
        for number, s in enumerate(about["stages"], 1)
    ]
    header = ("stage", "training cines", "frames x pixels", "epochs", "batch", "learning rate", "seed", "commit")
    where = "; ".join(sorted({f"{s['processor']}, PyTorch {s['torch']}" for s in about["stages"]}))
    mixed = ""
    if about.get("soup", 1) > 1:
        mixed = (
            f"These weights are the mean of {about['soup']} networks of the last stage, one trained on all clips and "
            "the others with a part of the real clips left out. What is said below of clips left out is of the single "
            "networks, not of their mean.\n\n"
        )
    return (
        "## Recipe\n\n"
        + table(header, rows)
        + f"\n{mixed}Trained on {where}. `make weights` makes them again from nothing.\n"
    )


def _phantom(facts: Row | None) -> str:
    if not facts:
        return ""
    words = (
        f"{facts['cines']} cines of {facts['patients']} phantom patients that neither training, nor the choice of an "
        f"epoch, nor calibration has seen (seed {facts['seed']}). Accuracy is that of the forced choice.\n\n"
    )
    return words + fresh.markdown(facts) + "\n" + fresh.others(facts)


def _examinations(facts: Row | None) -> str:
    if not facts:
        return ""
    statuses = ", ".join(f"{count} `{name}`" for name, count in facts["status"].items())
    words = (
        f"{facts['files']} DICOM files of {facts['patients']} other phantom patients (seed {facts['seed']}), "
        f"{facts['stills']} of them stills, each asked as a user asks: file in, view out. The views are those of an "
        "examination; among the cines above are short axes at any level, borders included. What the header of the file "
        f"calls Doppler or M-mode counts as answered. Statuses: {statuses}.\n\n"
    )
    return words + examinations.markdown(facts)


def _beside(facts: Row | None) -> str:
    if not facts:
        return ""
    before = "" if of_today(facts) else ", as an earlier version drew and named them,"
    words = (
        "Not these weights, but networks trained from nothing by one recipe with one budget "
        "(`tools/weights/beside.yaml`), on small phantoms alone. All answered the first "
        f"{facts['cines']} of the phantom cines above{before} and the same {facts['clips']} real clips, which "
        "none of them has seen. Differences are paired, with 95 % intervals by patient or group; milliseconds are "
        "processor time of one clip of 8 x 80 x 80 on one thread. A network that costs less sees more clips in the "
        "same time: the last row is a training by the recipe of the first stage, which took less time than "
        "`cnn3d` did.\n\n"
    )
    return words + beside.markdown(facts)


def _development(facts: Row | None) -> str:
    if not facts:
        return ""
    if not facts["clips"]:
        return f"None were at hand. {_example(facts['example'])}"
    licences = ", ".join(f"{count} {name}" for name, count in facts["licences"].items())
    words = (
        f"{facts['clips']} clips of {facts['groups']} groups (studies, as far as known) of few sources ({licences}); "
        "most labels were read by eye, not by a clinician. "
    )
    if facts["rows"]:
        words += f"Answered {facts['how']}. "
    else:
        words += f"Figures {facts['how']}. "
    words += _example(facts["example"])
    if not facts["rows"]:
        return words
    parts = [words, development.figure_table(facts)]
    parts += ["As the product answers, thresholds included:\n", development.confusion_table(facts["confusion"])]
    if facts.get("seen"):
        parts.append(
            "Calibration and threshold were fitted on these same left-out answers (and as many phantoms), so how many "
            "of the offered are right is somewhat too good.\n"
        )
    parts += ["What abstaining buys:\n", development.risk_markdown(facts["risk"])]
    if facts["sources"]:
        parts += [
            "Harder: with the clip's whole source left out of training:\n",
            development.figure_table(facts["sources"]),
        ]
    if any(found["cines"] for found in facts["against"]):
        parts += [
            "Beside other networks, trained and left out alike, clip by clip:\n",
            development.against_table(facts["against"]),
        ]
    return "\n".join(parts)


def _example(found: Row) -> str:
    return (
        f"The A4C cine that pydicom ships, never trained on: {found['best']} with {found['probability']:.2f} "
        f"(`{found['status']}`).\n"
    )


def _calibration(about: Row) -> str:
    found = about.get("calibration")
    if not found:
        return ""
    lines = [f"Fitted on {found['on']}: {found['cines']} cines of {found['patients']} patients or groups."]
    rows = [("expected calibration error, cross-fitted by patient", *(f"{found[k]:.3f}" for k in ("before", "after")))]
    rows += [
        (f"the same, {part['on']}", f"{part['before']:.3f}", f"{part['after']:.3f}") for part in found.get("parts", [])
    ]
    lines.append("\n" + table(("figure", "before", "after"), rows))
    sets = [
        (f"{float(level):.0%}", percent(covered), f"{size:.2f}") for level, (covered, size) in found["coverage"].items()
    ]
    lines.append(table(("prediction sets promised", "hold the truth", "labels in a set"), sets))
    return "\n".join(lines)


def _robustness(facts: Row | None) -> str:
    if not facts:
        return ""
    words = (
        f"{facts['cines']} cines of {facts['patients']} phantom patients, six main views. One thing is overridden, "
        "everything else stays as drawn; the change is paired, cine by cine. What a turned or tilted plane is called "
        "follows from where it lies. "
        f"Of the pictures with left and right swapped {percent(facts['mirror_noticed'])} are noticed, answered turned "
        f"around and reported; of those as drawn {percent(facts['mirror_imagined'])}."
    )
    return words + "\n\n" + robustness.markdown(facts)


def _text(facts: Row | None) -> str:
    if not facts:
        return ""
    words = (
        "The same cines with the name of another view, machine settings, a logo, an arrow and tick marks laid over "
        "them: outside the sector, inside its edge, or both.\n\n"
    )
    return words + text.markdown(facts)


def _novelty(facts: Row | None, real: Row | None) -> str:
    if not facts:
        return ""
    limit = facts["limit"]
    words = "Strangers against the main views; higher is better. "
    if limit is not None:
        words += f"The answer is `unsure` above a score ({facts['novelty'].replace('_', ' ')}) of {limit:.2f}. "
    words += "Kinds that the phantom renders were in training under a label of their own"
    words += ", and so were the real clips" if real and real["seen"] else ""
    return f"{words}.\n\n{novelty.markdown(facts)}"


def _cost(facts: Row | None) -> str:
    return cost.markdown(facts) if facts else ""


def failures(out: Path, pictures: Path) -> str:
    """Return what goes wrong most, worked out from the measures, and the pictures."""
    lines = [f"- {line}" for line in (*_weak_views(out), *_weak_rows(out))]
    sheets = load(out, "failures") or {}
    screens = ", of the whole screens as drawn in the robustness table"
    for kind, words, which in (("real", "real clips", ""), ("phantom", "phantom cines", screens)):
        sheet = sheets.get(kind)
        if sheet:
            link = Path(os.path.relpath(pictures / sheet["file"], HOME)).as_posix()
            lines.append(
                f"\n{sheet['shown']} of {sheet['of']} misread {words}{which}, the surest of each kind of mistake first:"
            )
            lines.append(f"\n![Misread {words}, with truth and answer]({link})")
    return "\n".join(lines) + "\n" if lines else ""


def _weak_views(out: Path) -> Iterator[str]:
    for name, words in (("phantom", "phantom patients"), ("development", "real clips")):
        facts = load(out, name) or {}
        for label, found in facts.get("recall", {}).items():
            if found["value"] is not None and found["value"] < LOW:
                yield f"{label}, {words}: recall {ranged(found, 0)} of {found['cines']}."
    development_ = load(out, "development") or {}
    pairs = Counter((r["truth"], r["best"]) for r in development_.get("misread", []))
    if pairs:
        most = ", ".join(f"{truth} for {best} ({count})" for (truth, best), count in pairs.most_common(5))
        yield f"The commonest mistakes on real clips, truth for answer: {most}."
        yield f"Real clips offered a wrong main view without `unsure`: {development_['wrong_offers']}."
    unseen = [v for v in MAIN_VIEWS if development_.get("recall", {}).get(v, {}).get("cines", 1) < 10]
    if unseen:
        yield f"Fewer than ten real clips of: {', '.join(unseen)}. Their figures mean little."


def _weak_rows(out: Path) -> Iterator[str]:
    rows = [r for r in (load(out, "robustness") or {}).get("rows", []) if r["change"]]
    for row in sorted(rows, key=lambda r: r["change"]["value"]):
        if row["change"]["value"] <= NOTABLE:
            name = " ".join(filter(None, (row["factor"], row["level"])))
            change, left = points(row["change"]["value"], 0), percent(row["accuracy"]["value"], 0)
            yield f"Phantoms, {name}: {change} points, to {left}."
