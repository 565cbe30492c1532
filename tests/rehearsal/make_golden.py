"""Makes ``runtime/srdiff/golden``, the network that ``srdiff-doctor`` runs: tiny, random weights, its own steps.

    python tests/rehearsal/make_golden.py /path/to/python3.7

The ONNX graphs come from the MindSpore that runs this; the MindIR ones from MindSpore 2.0.0 in the other Python, since
MindSpore Lite reads MindIR of its own generation or an older one. The steps are what the MindSpore cells compute.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np

from srdiff.bundle import Bundle, write_bundle
from srdiff.doctor.golden import GOLDEN, LR_SHAPE, GoldenNetwork
from srdiff.doctor.probes import eps_at
from srdiff.graph_files import GraphFiles
from srdiff_export.export import ExportOptions, export_bundle
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.model.config import NetworkConfig
from srdiff_training.model.graphs import CellEngine
from srdiff_training.model.network import SRDiff
from srdiff_training.model.parameter_names import public_name, to_public_layout

CONFIG = NetworkConfig(
    "mindediting", encoder_channels=8, encoder_blocks=2, encoder_growth=4, unet_channels=8, unet_mults=(1, 2)
)
NAME = "golden"


def main() -> None:
    python37 = sys.argv[1]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        ckpt = folder / f"{NAME}.ckpt"
        write_checkpoint(ckpt)
        options = ExportOptions(name=NAME, clip_denoised=True, license="Apache-2.0", origin="random numbers")
        export_bundle(ckpt, folder / "onnx.srdiff", options)
        shape = "{}x{}".format(*LR_SHAPE)
        command = [python37, "-m", "srdiff_export.command", "--ckpt", str(ckpt), "--format", "mindir", "--shape", shape]
        command += ["--clip-denoised", "-o", str(folder / "mindir.srdiff")]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": "runtime:export:training"})
        write_golden(ckpt, Bundle(folder / "onnx.srdiff"), Bundle(folder / "mindir.srdiff"))
    size = sum(file.stat().st_size for file in GOLDEN.rglob("*") if file.is_file())
    print(f"{GOLDEN}: {size:,} bytes")


def write_checkpoint(file: Path) -> None:
    """Normal weights that keep the variance (He et al., arXiv 1502.01852), biases a tenth."""
    rng = np.random.default_rng(16)
    content = []
    for parameter in SRDiff(CONFIG).get_parameters():
        fan_in = np.prod(parameter.shape[1:]) if len(parameter.shape) > 1 else 100
        array = rng.standard_normal(parameter.shape, np.float32) * np.float32(fan_in**-0.5)
        public = to_public_layout(parameter.name, array, CONFIG)
        content.append({"name": public_name(parameter.name, CONFIG), "data": ms.Tensor(np.ascontiguousarray(public))})
    ms.save_checkpoint(content, str(file))


def write_golden(ckpt: Path, onnx: Bundle, mindir: Bundle) -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    bundle_folder = GOLDEN / f"{NAME}.srdiff"
    bundle_folder.mkdir(parents=True)
    graphs: tuple[GraphFiles, ...] = ()
    for bundle in (mindir, onnx):  # the ONNX one's time bias stays, since the steps come from its MindSpore
        graphs += bundle.manifest.graphs
        for name in bundle.file_names:
            shutil.copyfile(str(bundle.path / name), str(bundle_folder / name))
    producer = {**onnx.manifest.producer, "mindir": mindir.manifest.producer["mindir"]}
    parity = {"comparisons": [row for bundle in (onnx, mindir) for row in bundle.manifest.parity["comparisons"]]}
    write_bundle(bundle_folder, replace(onnx.manifest, graphs=graphs, producer=producer, parity=parity))
    cells = CellEngine(load_checkpoint(ckpt).build(), True)
    network = GoldenNetwork(cells, Bundle(bundle_folder))
    eps = eps_at(network.step, network.inputs(), 1)
    np.savez(str(GOLDEN / "recorded.npz"), steps=np.stack(network.steps()), eps=eps)


if __name__ == "__main__":
    main()
