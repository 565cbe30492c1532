"""Reading checkpoints: sizes from shapes, the schedule from betas, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srdiff.schedule import cosine_betas, linear_betas

from ..conftest import DATA, Golden

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")

from racing.torch_reference import random_state  # noqa: E402

from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402

from .checkpoint_files import LEIALI, SAVE, STATES, TORCH_LAYOUTS, refusal, save_mindspore, save_torch  # noqa: E402

# What a good file gives


@pytest.mark.parametrize("family", ["mindediting", "leiali"])
def test_sizes_of_the_recorded_checkpoints(family: str) -> None:
    sizes = json.loads((DATA / f"{family}_tiny.json").read_text())["config"]
    common = {"unet_channels": sizes["hidden_size"], "up_input": sizes["up_input"]}
    if family == "mindediting":
        expected = NetworkConfig(
            family,
            scale=sizes["scale"],
            encoder_channels=sizes["encoder_mid_ch"],
            encoder_blocks=sizes["encoder_num_blocks"],
            encoder_growth=sizes["encoder_int_ch"],
            unet_mults=tuple(sizes["dim_mults"]),
            **common,
        )
    else:
        expected = NetworkConfig(
            family,
            scale=sizes["sr_scale"],
            encoder_channels=sizes["rrdb_num_feat"],
            encoder_blocks=sizes["rrdb_num_block"],
            encoder_growth=sizes["rrdb_num_feat"] // 2,
            encoder_bias=True,
            unet_mults=tuple(int(mult) for mult in sizes["unet_dim_mults"].split("|")),
            use_attn=sizes["use_attn"],
            **common,
        )
    assert load_checkpoint(DATA / f"{family}_tiny.ckpt").config == expected


def test_schedule_of_the_recorded_checkpoints(golden: Golden) -> None:
    schedule = load_checkpoint(golden.ckpt).stored.schedule
    if golden.family == "mindediting":  # its checkpoints have no betas
        assert schedule is None
    else:
        assert schedule is not None
        assert schedule.name == "cosine"
        np.testing.assert_array_equal(np.float32(schedule.betas), golden.arrays["betas"])


@st.composite
def configs(draw: st.DrawFn) -> NetworkConfig:
    family = draw(st.sampled_from(["mindediting", "leiali"]))
    return NetworkConfig(
        family,
        scale=draw(st.sampled_from([2, 3, 4, 5] if family == "mindediting" else [2, 4, 8])),
        encoder_channels=draw(st.integers(1, 5)),
        encoder_blocks=draw(st.integers(2, 5)),
        encoder_growth=draw(st.integers(1, 5)),
        encoder_bias=draw(st.booleans()),
        unet_channels=draw(st.sampled_from([4, 6, 8])),
        unet_mults=(1, *draw(st.lists(st.integers(1, 4), max_size=3))),
        up_input=draw(st.booleans()),
        use_attn=family == "leiali" and draw(st.booleans()),
    )


@given(config=configs(), weight_norm=st.booleans())
@settings(max_examples=15)
def test_every_size_is_inferred(config: NetworkConfig, weight_norm: bool) -> None:
    weight_norm = weight_norm and config.family == "leiali"
    with tempfile.TemporaryDirectory() as folder:
        path = SAVE[config.family](Path(folder, "model.ckpt"), random_state(config, weight_norm))
        checkpoint = load_checkpoint(path, config.family)
    assert checkpoint.config == config


@pytest.mark.parametrize("layout", TORCH_LAYOUTS)
def test_every_torch_layout_gives_the_same_tensors(tmp_path: Path, layout: str) -> None:
    tensors = load_checkpoint(save_torch(tmp_path / "model.pth", LEIALI, layout)).tensors
    assert sorted(tensors) == sorted(LEIALI)
    for name, tensor in LEIALI.items():
        np.testing.assert_array_equal(tensors[name], tensor.numpy())


def test_optimizer_and_counters_of_mindspore_are_left_aside(tmp_path: Path) -> None:
    state = STATES["mindediting"]
    checkpoint = load_checkpoint(save_mindspore(tmp_path / "model.ckpt", state, with_optimizer=True))
    assert sorted(checkpoint.tensors) == sorted(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(checkpoint.tensors[name], tensor.numpy())
    assert checkpoint.stored.schedule is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_other_float_types_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in LEIALI.items()}
    tensors = load_checkpoint(save_torch(tmp_path / "model.pth", state)).tensors
    name = "denoise_fn.final_conv.1.weight"
    assert tensors[name].dtype == np.float32
    np.testing.assert_array_equal(tensors[name], state[name].float().numpy())


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")  # the authors' code uses this one
def test_weight_norm_is_folded(tmp_path: Path) -> None:
    conv = torch.nn.utils.weight_norm(torch.nn.Conv2d(8, 3, 1))
    with torch.no_grad():
        conv.weight_g.uniform_(0.5, 2)
    stem = "denoise_fn.final_conv.1"
    config = NetworkConfig("leiali", 2, 2, 2, 1, unet_channels=8, unet_mults=(1, 2))
    state = random_state(config)
    del state[f"{stem}.weight"]
    state.update({f"{stem}.{name}": tensor for name, tensor in conv.state_dict().items()})
    tensors = load_checkpoint(save_torch(tmp_path / "model.pth", state)).tensors
    expected = conv(torch.eye(8)[:, :, None, None]) - conv.bias[:, None, None]
    np.testing.assert_allclose(tensors[f"{stem}.weight"][..., 0, 0].T, expected[..., 0, 0].detach(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "betas"),
    [
        ("cosine", cosine_betas(100)),
        ("cosine", cosine_betas(37)),
        ("linear", linear_betas(100)),
        ("custom", np.linspace(0.01, 0.1, 100) ** 2),
        ("custom", cosine_betas(100, s=0.02)),
    ],
    ids=["cosine", "37 steps", "linear", "quadratic", "cosine, s=0.02"],
)
def test_schedule_comes_from_the_stored_betas(tmp_path: Path, name: str, betas: np.ndarray) -> None:
    schedule = load_checkpoint(save_torch(tmp_path / "model.ckpt", LEIALI, "trainer, zip", betas)).stored.schedule
    assert schedule is not None
    assert schedule.name == name
    # A known schedule comes back in float64, not as the float32 it was stored in.
    np.testing.assert_array_equal(schedule.betas, np.float32(betas) if name == "custom" else betas)


# Files that are no checkpoint


def test_missing_file(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path / "absent.ckpt")
    assert "is not a file" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".ckpt", ".pth"])
@pytest.mark.parametrize(
    "content",
    [b"", b"To be a checkpoint, or not to be.\n", np.random.default_rng(0).bytes(5000), b"PK\x03\x04", b"\x80"],
    ids=["empty", "text", "random", "start of a zip", "start of a pickle"],
)
def test_not_a_checkpoint(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    message = refusal(path)
    assert any(said in message for said in ("is neither a MindSpore nor a PyTorch", "is damaged", "is empty"))


@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\n\x10\n\x02a."]))
@settings(max_examples=30)
def test_any_bytes_are_refused(content: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.ckpt")
        path.write_bytes(start + content)
        refusal(path)


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("layout", ["bare, zip", "trainer, legacy"])
def test_truncated_torch_checkpoint(tmp_path: Path, layout: str, part: float) -> None:
    path = save_torch(tmp_path / "model.ckpt", LEIALI, layout)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    message = refusal(path)
    assert "is damaged" in message or "the file is complete" in message


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_truncated_mindspore_checkpoint(tmp_path: Path, part: float) -> None:
    whole = save_mindspore(tmp_path / "whole.ckpt", STATES["mindediting"])
    path = tmp_path / "model.ckpt"  # whole.ckpt is read-only
    path.write_bytes(whole.read_bytes()[: int(part * whole.stat().st_size)])
    assert "the file is complete" in refusal(path)


class Touch:
    """Unpickled by a careless reader, it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("how", ["pickle 0", "pickle 2", "pickle 4", "torch zip", "torch legacy"])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, how: str) -> None:
    path, marker = tmp_path / "model.ckpt", tmp_path / "it_ran"
    kind, detail = how.split()
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"extra": Touch(marker)}, protocol=int(detail)))
    else:
        content = {**LEIALI, "extra": Touch(marker)}
        torch.save(content, str(path), _use_new_zipfile_serialization=detail == "zip")
    message = refusal(path)
    assert "mkdir, which is not read" in message or "is neither" in message
    assert not marker.exists()


def test_marker_of_the_pickle_test_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Touch(tmp_path / "it_ran")))
    assert (tmp_path / "it_ran").exists()


@pytest.mark.parametrize(
    "content",
    [torch.ones(3), [torch.ones(3)], {0: torch.ones(3)}, {}, {"state_dict": {}}, {"epoch": 3}, None],
    ids=["tensor", "list", "numbered", "empty", "nothing inside", "no tensor", "None"],
)
def test_torch_files_of_something_else(tmp_path: Path, content: object) -> None:
    path = tmp_path / "model.pth"
    torch.save(content, str(path))
    assert "is not an SRDiff checkpoint" in refusal(path)
