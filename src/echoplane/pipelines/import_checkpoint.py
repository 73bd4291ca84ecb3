"""From a checkpoint of the thesis project to a bundle that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from echoplane._files import safe_name
from echoplane._optional import need
from echoplane.errors import UsageError
from echoplane.prepare.recipe import recipe_named
from echoplane.sampling import rule_named
from echoplane.views import shows_the_heart

if TYPE_CHECKING:
    from echoplane.models.bundle import Bundle


def import_checkpoint(
    path: str | Path,
    target: str | Path,
    *,
    views: Sequence[str] = (),
    recipe: str = "reference",
    adaptive_pool: Sequence[int] = (7, 5, 5),
) -> Bundle:
    """Read a checkpoint and write a bundle, which samples clips as the thesis did.

    Parameters
    ----------
    path : str or Path
        A torch file holding a state dict; opened without running anything in it.
    target : str or Path
        Folder, or a file ending in ``.echoplane``.
    views : sequence of str
        Labels in the order of the outputs; empty takes those of the thesis.
    recipe : str
        Prepare recipe, by name.
    adaptive_pool : sequence of int
        (n, h, w) before the classifier.

    Raises
    ------
    BundleError
        When the file is no such checkpoint.
    UsageError
        When the number of views does not fit the checkpoint, or the recipe is not known.
    """
    need("torch", "train", "import a checkpoint")
    from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
    from echoplane.models.export import export_bundle
    from echoplane.models.legacy import VIEWS, import_checkpoint, options_of

    prepare = recipe_named(recipe)
    network = import_checkpoint(path, adaptive_pool)
    options, outputs = options_of(network)
    labels = tuple(views) or tuple(VIEWS.values())
    if len(labels) != outputs:
        raise UsageError(f"{path}: gives {outputs} answers, and {len(labels)} views are named: {', '.join(labels)}.")
    facts = BundleFacts(
        name=safe_name(Path(path).stem),
        vocabulary=labels,
        network=NetworkSpec("cnn3d", options),
        recipe=prepare,
        sampling=rule_named("reference"),
        offered=tuple(label for label in labels if shows_the_heart(label)),
        notes=("Imported from a checkpoint; what it was trained on is not known here.",),
    )
    bundle = export_bundle(network, facts)
    bundle.save(target)
    return bundle
