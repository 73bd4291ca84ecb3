"""The GPU engine: torch, from the bundle's safetensors. It runs on a CPU too, slower than OpenVINO."""

from __future__ import annotations

from contextlib import nullcontext
from threading import Lock
from typing import Any

import numpy as np

from echoplane._optional import need
from echoplane.errors import UsageError
from echoplane.models.bundle import Bundle
from echoplane.models.load import load_network
from echoplane.records import FloatArray


class TorchEngine:
    """A network of the registry with the weights of a bundle.

    Parameters
    ----------
    bundle : Bundle
    device : {"auto", "cuda", "cpu"}
        ``auto`` takes the GPU where there is one.
    precision : {"f32", "bf16"}
    threads : int or None
        Torch's own number of threads, on a CPU; it holds for the whole process. None leaves it as it is.

    Raises
    ------
    MissingExtraError
        When torch is not installed.
    UsageError
        No GPU though one is asked for, or precision int8.
    BundleError
        Weights that do not fit the network that the bundle names.
    """

    name = "torch"

    def __init__(
        self, bundle: Bundle, *, device: str = "auto", precision: str = "f32", threads: int | None = None
    ) -> None:
        torch = need("torch", "train", "run a network with engine 'torch' or 'cuda'")
        if precision == "int8":
            raise UsageError("precision int8 is for engine 'openvino'; torch runs f32 and bf16.")
        if device != "cpu" and torch.cuda.is_available():
            self._device = torch.device("cuda")
            self.device = torch.cuda.get_device_name()
        elif device == "cuda":
            raise UsageError("engine 'cuda': torch finds no GPU here. Use --engine auto.")
        else:
            self._device = torch.device("cpu")
            self.device = "CPU"
            if threads is not None:
                torch.set_num_threads(threads)
        self.precision = precision
        self._torch = torch
        self._lock = Lock()
        network: Any = load_network(bundle)  # torch's types do not know memory_format
        self._network = network.to(self._device, memory_format=torch.channels_last_3d)

    def run(self, clips: FloatArray) -> FloatArray:
        """Run the network: float32 (C, 1, N, H, W) to logits (C, K). See :class:`echoplane.inference.engine.Engine`."""
        torch, count = self._torch, len(clips)
        if self._device.type == "cpu" and count == 1:
            clips = np.concatenate([clips, clips])  # a batch of one takes a path that is several times slower
        reduced = torch.autocast(self._device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()
        # TF32 would cost three decimals; the lock is for that setting and for the GPU's memory.
        with self._lock, torch.inference_mode(), _without_tf32(torch), reduced:
            batch = torch.from_numpy(np.ascontiguousarray(clips)).to(self._device)
            logits: FloatArray = (
                self._network(batch.contiguous(memory_format=torch.channels_last_3d)).float().cpu().numpy()
            )
        return logits[:count]


def _without_tf32(torch: Any) -> Any:
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
