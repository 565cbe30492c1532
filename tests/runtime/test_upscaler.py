"""A model of many steps on every engine installed: sizes, kinds of image, seeds, threads, tiles."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
from PIL import Image

from srdiff import DeviceError, ImageError, OptionError, Upscaler
from srdiff.engines import open_engine
from srdiff.errors import PackageError
from srdiff.photo.convert import photo_from
from srdiff.resize import bicubic

from ..models import SMALL

STEPS = 3


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def upscaler(request: pytest.FixtureRequest) -> Upscaler:
    pytest.importorskip(request.param)
    return Upscaler.from_bundle(SMALL, engine=request.param, device="cpu", precision="fp32")


def test_a_photo_is_enlarged_to_something_like_itself(upscaler, photo):
    result = upscaler.upscale(photo, steps=20)
    assert result.dtype == np.uint8
    assert result.shape == (96, 80, 3)
    shrunk = result.reshape(24, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - photo).mean() < 6  # levels; 3 is measured, swapped channels give 20


def test_the_same_seed_gives_the_same_bytes(upscaler, photo):
    first, again, other = (upscaler.upscale(photo, seed=seed, steps=STEPS) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_threads_get_their_own_results(upscaler, photo):
    """Eight calls at once, of different seeds and sizes, equal the same calls one by one."""
    jobs = [(seed, photo[: 16 + 2 * (seed % 3)]) for seed in range(8)]
    alone = [upscaler.upscale(image, seed=seed, steps=STEPS) for seed, image in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: upscaler.upscale(job[1], seed=job[0], steps=STEPS), jobs))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together))


def test_engines_agree_to_one_level(photo):
    pytest.importorskip("openvino")  # has no build for Python 3.7
    results = [
        Upscaler.from_bundle(SMALL, engine=engine, device="cpu", precision="fp32").upscale(photo, steps=20).astype(int)
        for engine in ("openvino", "onnxruntime")
    ]
    assert np.abs(results[0] - results[1]).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 5), (9, 4)])
def test_any_size(upscaler, photo, size):
    image = photo[: size[0], : size[1]]
    result = upscaler.upscale(image, steps=1)
    assert result.shape == (size[0] * 4, size[1] * 4, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pil_images_keep_their_mode_and_metadata(upscaler, photo, mode):
    image = Image.fromarray(photo).convert(mode)
    image.info["dpi"] = (300, 300)
    result = upscaler.upscale(image, steps=1)
    assert result.mode == mode
    assert result.size == (80, 96)
    assert result.info["dpi"] == (300, 300)


def test_alpha_is_enlarged_on_its_own(upscaler, photo):
    alpha = np.full(photo.shape[:2], 60, np.uint8)  # to be seen, or its colours would be those beside it
    alpha[:, 10:] = 255
    result = upscaler.upscale(np.dstack([photo, alpha]), steps=1)
    assert (result[:, :32, 3] == 60).all()
    assert (result[:, 44:, 3] == 255).all()
    assert np.array_equal(result[..., :3], upscaler.upscale(photo, steps=1))


def test_16_bits_stay(upscaler, photo):
    deep = photo.astype(np.uint16) * 257 + 17
    result = upscaler.upscale(deep, steps=STEPS)
    assert result.dtype == np.uint16
    assert len(np.unique(result)) > 256
    eight = upscaler.upscale(photo, steps=STEPS).astype(float) * 257
    assert np.abs(result - eight).mean() < 3 * 257


def test_the_callback_counts_and_may_stop(upscaler, photo):
    seen = []
    upscaler.upscale(photo, steps=STEPS, callback=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        upscaler.upscale(photo, steps=STEPS, callback=stop)


def test_tiles_cannot_be_seen(photo):
    """In windows of at most 72x72 pixels with the default overlap, against the whole image."""
    pytest.importorskip("openvino")  # has no build for Python 3.7
    image = bicubic(skimage.data.astronaut(), 160, 160)[:, :24]
    whole, tiled = (
        Upscaler.from_bundle(SMALL, engine="openvino", device="cpu", precision="fp32", tile=tile).upscale(
            image, steps=10
        )
        for tile in (256, 72)
    )
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_compiled_shapes_do_not_pile_up(photo):
    upscaler = Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu")
    for height in range(2, 16, 2):
        upscaler.upscale(photo[:height], steps=1)
    assert len(upscaler._graphs._compiled) <= 8


@pytest.mark.parametrize("steps", [0, 101])
def test_impossible_steps(upscaler, photo, steps):
    with pytest.raises(OptionError, match="1 to 100"):
        upscaler.upscale(photo, steps=steps)


@pytest.mark.parametrize(
    "image", ["photo.png", np.zeros((2, 2, 5), np.uint8), np.zeros((0, 4, 3), np.uint8), np.full((2, 2), np.nan)]
)
def test_impossible_images(upscaler, image):
    with pytest.raises(ImageError):
        upscaler.upscale(image)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"engine": "tensorflow"}, OptionError, "choose one of auto, "),
        ({"device": "tpu"}, OptionError, "choose one of auto, "),
        ({"precision": "int8"}, OptionError, "choose one of auto, "),
        ({"threads": 0}, OptionError, "from 1 to 1024"),
        ({"engine": "openvino", "device": "gpu"}, DeviceError, "no device gpu"),
        ({"engine": "onnxruntime", "device": "cpu", "precision": "bf16"}, DeviceError, "not bf16"),
    ],
)
def test_impossible_engines(arguments, error, words):
    with pytest.raises(error, match=words):
        open_engine(**arguments)


def test_a_named_device_that_is_absent_is_an_error():
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine may have the GPU")
    with pytest.raises(DeviceError, match="no CUDAExecutionProvider"):
        open_engine(device="gpu")


def test_looking_for_the_best_engine_loads_none_that_it_cannot_be():
    """A provider's library is not there: without loading ONNX Runtime that is known, and refused as it is with it."""
    pytest.importorskip("openvino")
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the provider")
    program = """if True:
        import sys
        from srdiff.engines import open_engine
        from srdiff.errors import DeviceError

        print(open_engine().name)
        try:
            open_engine("onnxruntime", "gpu")
        except DeviceError as error:
            print(error)
        print("onnxruntime" in sys.modules)
    """
    said = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE).stdout.decode()
    assert said.splitlines() == [
        "openvino",
        "this ONNX Runtime has no CUDAExecutionProvider; run: pip uninstall onnxruntime && pip install 'srdiff[gpu]'",
        "False",
    ]


def test_a_providers_library_beside_onnx_runtime_is_found(monkeypatch, tmp_path):
    """As in onnxruntime-gpu's wheels: then it is loaded, and says itself what it has."""
    from srdiff.engines.onnxruntime_engine import _lacks_library

    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    capi = tmp_path / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    (capi.parent / "__init__.py").touch()
    assert _lacks_library("gpu") and _lacks_library("ascend") and not _lacks_library("cpu")
    (capi / "libonnxruntime_providers_cuda.so").touch()
    assert not _lacks_library("gpu") and _lacks_library("ascend")
    (capi / "onnxruntime_providers_cann.dll").touch()
    assert not _lacks_library("ascend")


def test_bf16_stays_near_float32_where_the_cpu_has_it(photo):
    try:
        fast = Upscaler.from_bundle(SMALL, engine="openvino", device="cpu", precision="bf16")
    except (DeviceError, PackageError):
        pytest.skip("this CPU has no bf16")
    exact = Upscaler.from_bundle(SMALL, engine="openvino", device="cpu", precision="fp32")
    difference = fast.upscale(photo).astype(float) - exact.upscale(photo)
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 45


def test_the_number_of_threads_does_not_show():
    rng = np.random.default_rng(0)
    source = photo_from(rng.integers(0, 256, (300, 70, 3), np.uint8))
    x0 = rng.standard_normal((3, 1200, 280)).astype(np.float32)
    made = [
        Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu", threads=threads).compose(source, x0).pixels
        for threads in (1, 2, 7)
    ]
    assert all(np.array_equal(one, made[0]) for one in made)


def test_many_threads_share_one_compilation(photo):
    upscaler = Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu")
    compiled = []
    compile_once = upscaler.engine.compile
    upscaler.engine.compile = lambda model, shapes: compiled.append(1) or compile_once(model, shapes)  # type: ignore
    threads = [threading.Thread(target=upscaler.upscale, args=(photo,), kwargs={"steps": 1}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled) == 2
