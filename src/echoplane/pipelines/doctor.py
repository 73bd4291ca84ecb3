"""What is installed here, and does it work: facts to paste into a report, without paths or names of people."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from echoplane.errors import BundleError, EchoplaneError
from echoplane.models.openvino_core import openvino_core

Level = Literal["ok", "missing", "optional", "note"]

#: Instruction sets that decide which precision is worth while.
_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")

#: (what it is for, distribution, extra that brings it; none where it is always needed).
_LIBRARIES: tuple[tuple[str, str, str], ...] = (
    ("arrays", "numpy", ""),
    ("DICOM", "pydicom", ""),
    ("JPEG 2000", "pylibjpeg-openjpeg", ""),
    ("RLE", "pylibjpeg-rle", ""),
    ("JPEG-LS", "pyjpegls", ""),
    ("JPEG, pictures", "opencv-python-headless", ""),
    ("pictures", "pillow", ""),
    ("video", "av", ""),
    ("network on the CPU", "openvino", ""),
    ("weights", "safetensors", ""),
    ("records", "msgspec", ""),
    ("settings", "pyyaml", ""),
    ("command line", "typer", ""),
    ("tables", "rich", ""),
    ("training, network on a GPU", "torch", "train"),
    ("training", "lightning", "train"),
    ("explaining", "captum", "explain"),
    ("Parquet", "pyarrow", "parquet"),
)

_VIDEO = ("h264", "hevc", "mpeg2video", "mpeg4", "mjpeg", "wmv2", "vp9", "gif")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not well.

    Attributes
    ----------
    topic, subject, value : str
    level : {"ok", "missing", "optional", "note"}
        ``missing`` means that echoplane does not work fully without it.
    """

    topic: str
    subject: str
    value: str
    level: Level = "ok"


def examine() -> list[Finding]:
    """Look at versions, processor, codecs, engines and the default bundle; takes about a second.

    Returns
    -------
    list of Finding
        In the order in which they are to be shown.
    """
    return [*_system(), *_processor(), *_libraries(), *_codecs(), *_engines(), _default_bundle()]


def _system() -> list[Finding]:
    import echoplane

    return [
        Finding("system", "echoplane", echoplane.__version__),
        Finding("system", "Python", f"{platform.python_implementation()} {platform.python_version()}"),
        Finding("system", "platform", platform.platform()),
        Finding("system", "file names", f"{sys.getfilesystemencoding()}, output {sys.stdout.encoding}"),
    ]


def _processor() -> list[Finding]:
    from echoplane.inference.engine import available_cpus

    found = [Finding("processor", "processors", f"{available_cpus()} usable")]
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return found
    lines = (line.partition(":")[2].split() for line in text.splitlines() if line.startswith("flags"))
    flags = next(lines, [])
    if flags:
        found.append(Finding("processor", "instructions", " ".join(f for f in _FLAGS if f in flags) or "none of note"))
    return found


def _libraries() -> list[Finding]:
    found = []
    for what, name, extra in _LIBRARIES:
        try:
            found.append(Finding("libraries", name, f"{importlib.metadata.version(name)} ({what})"))
        except importlib.metadata.PackageNotFoundError:
            fix = f'pip install "echoplane[{extra}]"' if extra else "pip install --upgrade echoplane"
            level: Level = "optional" if extra else "missing"
            found.append(Finding("libraries", name, f"not installed ({what}): {fix}", level))
    return found


def _codecs() -> list[Finding]:
    return [_jpeg(), *_video_codecs()]


def _jpeg() -> Finding:
    try:
        import cv2
        import numpy as np

        square = np.full((16, 16), 77, np.uint8)
        done, data = cv2.imencode(".jpg", square)
        back = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_2) if done else None
        if back is None or back.shape != (8, 8) or abs(int(back[0, 0]) - 77) > 2:
            return Finding("codecs", "JPEG", "OpenCV decodes it wrongly; reinstall opencv-python-headless", "missing")
        lines = [line.partition(":")[2].strip() for line in cv2.getBuildInformation().splitlines() if " JPEG:" in line]
        return Finding("codecs", "JPEG", f"works, {lines[0] if lines else 'library not named'}")
    except ImportError as error:
        return Finding("codecs", "JPEG", f"OpenCV does not load: {type(error).__name__}", "missing")


def _video_codecs() -> list[Finding]:
    try:
        from av.codec import Codec
        from av.codec.codec import UnknownCodecError
    except ImportError as error:
        return [Finding("codecs", "video", f"PyAV does not load: {type(error).__name__}", "missing")]
    have, lacking = [], []
    for name in _VIDEO:
        try:
            Codec(name, "r")
            have.append(name)
        except UnknownCodecError:
            lacking.append(name)
    found = [Finding("codecs", "video", " ".join(have) or "none", "ok" if have else "missing")]
    if lacking:
        found.append(Finding("codecs", "video not read", " ".join(lacking), "note"))
    return found


def _engines() -> list[Finding]:
    found = [_openvino()]
    if importlib.util.find_spec("torch") is None:
        found.append(Finding("engines", "torch", "not installed; only needed for GPUs and training", "optional"))
    else:
        found.append(Finding("engines", "torch", _torch_devices()))
    return found


def _openvino() -> Finding:
    try:
        core = openvino_core()
        abilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
    except (ImportError, RuntimeError) as error:
        return Finding("engines", "openvino", f"does not load: {type(error).__name__}", "missing")
    precisions = ["f32", *(["bf16"] if "BF16" in abilities else []), *(["int8"] if "INT8" in abilities else [])]
    return Finding("engines", "openvino", f"{name}: {', '.join(precisions)}")


def _torch_devices() -> str:
    from echoplane._optional import need

    try:
        torch = need("torch", "train", "look for GPUs")
        count = torch.cuda.device_count()
        return ", ".join(torch.cuda.get_device_name(i) for i in range(count)) or "CPU only"
    except (ImportError, OSError, RuntimeError) as error:
        return f"does not load: {type(error).__name__}"


def _default_bundle() -> Finding:
    from echoplane.models.bundle import Bundle

    try:
        bundle = Bundle.load()
        bundle.verify()
    except BundleError:
        return Finding("bundle", "default", "none, or damaged; give one with --bundle", "missing")
    except EchoplaneError as error:
        return Finding("bundle", "default", str(error), "missing")
    return Finding("bundle", "default", f"{bundle.name} {bundle.hash[:12]}, {len(bundle.facts.answers)} views, whole")
