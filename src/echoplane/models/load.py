"""From a bundle back to a torch network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echoplane.errors import BundleError, UsageError
from echoplane.models import registry
from echoplane.models.bundle import WEIGHTS_NAME, Bundle

if TYPE_CHECKING:
    from torch import nn


def load_network(bundle: Bundle) -> nn.Module:
    """Build the network that a bundle names, with the bundle's weights, in evaluation mode on the CPU.

    Raises
    ------
    BundleError
        Weights that do not fit the network that the bundle names, or are no finite numbers.
    MissingExtraError
        When torch is not installed.
    """
    facts = bundle.facts
    try:
        network = registry.build(facts.network.name, len(facts.vocabulary), **facts.network.options)
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            weights = load(bundle.read(WEIGHTS_NAME))
            network.load_state_dict(weights)
        except (RuntimeError, SafetensorError) as error:
            raise _unfit(bundle, error) from error
    except UsageError as error:
        raise _unfit(bundle, error) from error
    if odd := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise BundleError(f"{bundle.where}: {WEIGHTS_NAME} holds no finite numbers in {odd[0]}; get the bundle again.")
    return network.eval()


def _unfit(bundle: Bundle, error: Exception) -> BundleError:
    name = bundle.facts.network.name
    return BundleError(f"{bundle.where}: {WEIGHTS_NAME} does not fit the network {name!r}: {error}")
