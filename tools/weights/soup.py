"""Average the weights of runs that began alike: tools/weights/soup.py OUT RUN [RUN...].

Networks that were fine-tuned from the same weights lie in one valley, and their mean is steadier than each of them
(Wortsman et al., Model soups, ICML 2022, arXiv:2203.05482). OUT becomes a run folder as RUN is, the first of them, with
the averaged weights and a bundle of them. All runs must have held out the validation cines of the first.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from echoplane.data.split import TRAIN, VALIDATION, Split
from echoplane.models.bundle import Bundle
from echoplane.models.export import export_bundle
from echoplane.models.registry import build

WEIGHTS = "best.safetensors"
KEPT = ("recipe.yaml", "run.json", "split.csv", "network.txt", "history.csv")


def mean_of(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of each tensor; counters stay those of the first."""

    def mean(name: str, first: torch.Tensor) -> torch.Tensor:
        if not first.is_floating_point():
            return first
        return torch.stack([state[name].double() for state in states]).mean(dim=0).to(first.dtype)

    return {name: mean(name, first) for name, first in states[0].items()}


def check(runs: list[Path]) -> None:
    """Refuse runs of which one was trained on what the first one validates with."""
    held = set(Split.load(runs[0] / "split.csv").cines(VALIDATION))
    for run in runs[1:]:
        seen = held.intersection(Split.load(run / "split.csv").cines(TRAIN))
        if seen:
            raise SystemExit(
                f"{run}: was trained on {len(seen)} cines that {runs[0]} holds out; their mean has no judge."
            )


def main() -> int:
    """Make the run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="run folder to write")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders whose weights are averaged")
    given = parser.parse_args()
    out, runs = given.out, given.runs
    check(runs)
    state = mean_of([load_file(run / WEIGHTS) for run in runs])
    facts = Bundle.load(runs[0] / "bundle").facts
    network = build(facts.network.name, len(facts.vocabulary), **facts.network.options)
    network.load_state_dict(state)
    out.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (runs[0] / name).is_file():
            shutil.copyfile(runs[0] / name, out / name)
    save_file(state, out / WEIGHTS)
    (out / "soup.json").write_text(json.dumps({"runs": [run.name for run in runs]}, indent=1) + "\n", encoding="utf-8")
    export_bundle(network.eval(), facts).save(out / "bundle")
    print(f"{out}: mean of {len(runs)} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
