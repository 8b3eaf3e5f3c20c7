"""Pictures through a model: reference checkpoints give the reference's pictures; depth, names and refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import medp2p
from medp2p.errors import ConfigError, FileError, Medp2pError, ModelError
from medp2p.io import read_volume, write_volume
from medp2p.picture import picture, pixels_of
from medp2p.translation import import_weights, translate
from medp2p.translation.model_file import model_path, read_header
from tests.io import dicom_phantom
from tests.textbook import textbook

Pixels = NDArray[Any]
PICTURES = ["data.kind=pictures", "data.sources=label", "data.target=photo"]


def noise(size: tuple[int, ...] = (256, 256, 3), kind: str = "u1", seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, size).astype(kind)


def checkpoint(folder: Path, kind: str = "unet_256", *, sources: int = 3, targets: int = 3) -> tuple[nn.Module, Path]:
    """A random network of the reference with a history of training in its norms, and its file."""
    network = textbook(kind, in_channels=sources, out_channels=targets, channels=4)
    values = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(torch.randn(module.num_features, generator=values) * 0.1)
                module.running_var.copy_(torch.rand(module.num_features, generator=values) + 0.5)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.mul_(4.0)
    torch.save(network.state_dict(), folder / "latest_net_G.pth")
    return network, folder / "latest_net_G.pth"


def by_the_reference(network: nn.Module, pixels: Pixels) -> Pixels:
    """A picture through the network as the reference does it: to [-1, 1], and back without rounding."""
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():  # dropout draws in the order of memory, so the order has to be the same
        network = network.to(memory_format=torch.channels_last)
        made = network(((tensor - 0.5) / 0.5).contiguous(memory_format=torch.channels_last))
    return ((made[0].permute(1, 2, 0).numpy() + 1) / 2 * 255).clip(0, 255)


def imported(weights: Path, folder: Path, *more: str) -> Path:
    return import_weights(weights, folder / "run", set=[*PICTURES, "generator.channels=4", *more])


@pytest.mark.parametrize("habit", ["evaluation", "training"])
def test_a_checkpoint_of_the_reference_gives_its_pictures_within_one_grey_level(tmp_path: Path, habit: str) -> None:
    network, weights = checkpoint(tmp_path)
    run = imported(weights, tmp_path, f"generator.habit={habit}")
    (tmp_path / "in").mkdir()
    for number in range(2):
        write_volume(picture(noise(seed=number)), tmp_path / f"in/{number}.png")
    translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    network.train(habit == "training")
    for number in range(2):
        torch.manual_seed(0)  # what is dropped depends on the number of a slice, and a picture has slice 0 alone
        expected = by_the_reference(network, noise(seed=number))
        made = pixels_of(read_volume(tmp_path / f"out/{number}.png"))
        assert made.dtype == np.uint8
        assert float(np.abs(made - expected).max()) <= 1.0
        assert float(np.std(expected)) > 5


def test_channels_follow_from_the_weights(tmp_path: Path) -> None:
    _, weights = checkpoint(tmp_path, "resnet_6", sources=1, targets=3)
    run = imported(weights, tmp_path, "generator.kind=resnet_6", "data.bits={label: 16}")
    said = read_header(model_path(run)).description
    assert said.sources == ("label",)
    assert said.targets == ("photo.red", "photo.green", "photo.blue")
    assert said.bits == {"label": 16, "photo": 8}
    assert said.intensity["label"].high == 65535


def test_weights_of_another_number_of_channels_are_refused(tmp_path: Path) -> None:
    _, weights = checkpoint(tmp_path, "resnet_6", sources=2)
    with pytest.raises(ModelError, match="do not have so many channels"):
        imported(weights, tmp_path, "generator.kind=resnet_6")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A model from 16 bits of grey to 16 bits of grey, of the lower 12 of which anything is made."""
    _, weights = checkpoint(tmp_path, "resnet_6", sources=1, targets=1)
    low_12 = "{kind: window, low: 0, high: 4095}"
    return imported(
        weights, tmp_path, "generator.kind=resnet_6", "data.bits={label: 16, photo: 16}", f"intensity.label={low_12}",
        f"intensity.photo={low_12}",
    )  # fmt: skip


def test_16_bits_stay_16_bits_and_within_their_window(deep: Path, tmp_path: Path) -> None:
    write_volume(picture(noise((20, 31), "u2") >> 4), tmp_path / "low.png")
    made = translate(deep, tmp_path / "low.png", tmp_path / "full.tif", device="cpu").made
    full = read_volume(made[0])
    assert full.voxels.dtype == np.uint16
    assert full.shape == (31, 20, 1)
    assert 255 < full.voxels.max() <= 4095
    translator = medp2p.Translator.load(deep, device="cpu")
    again = translator(medp2p.read_volume(tmp_path / "low.png"))
    np.testing.assert_array_equal(again.voxels, full.voxels)


def test_a_radiograph_in_dicom_becomes_a_picture_of_16_bits(deep: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    numbers = (noise((20, 32), "u2") >> 4).astype("<u2")
    dicom_phantom.radiograph(tmp_path / "in/p1_pa.dcm", numbers)
    write_volume(picture(numbers), tmp_path / "p1_pa.png")
    made = translate(deep, tmp_path / "in", tmp_path / "out", device="cpu").made
    assert [path.name for path in made] == ["p1_pa.png"]
    translate(deep, tmp_path / "p1_pa.png", tmp_path / "same.png", device="cpu")
    np.testing.assert_array_equal(read_volume(made[0]).voxels, read_volume(tmp_path / "same.png").voxels)
    assert read_volume(made[0]).voxels.dtype == np.uint16


def test_a_folder_keeps_its_names_what_is_finished_and_all_but_what_is_refused(deep: Path, tmp_path: Path) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    write_volume(picture(noise((20, 32), "u2") >> 4), given / "a.v2.tif")
    write_volume(picture(noise((20, 32), "u2") >> 4), given / "b.PNG")
    write_volume(picture(noise((20, 32))), given / "eight.png")
    write_volume(picture(noise((20, 32, 3), "u2")), given / "colour.png")
    (given / "cut.png").write_bytes((given / "b.PNG").read_bytes()[:200])
    (given / "notes.txt").write_text("nothing")
    with pytest.raises(Medp2pError) as refused:
        translate(deep, given, out, device="cpu")
    assert sorted(Path(str(fault.path)).name for fault in refused.value.faults) == [
        "colour.png",
        "cut.png",
        "eight.png",
    ]
    assert "found 1 channel of 8 bits, expected 1 channel of 16 bits" in str(refused.value)
    assert sorted(path.name for path in out.iterdir() if path.suffix != ".md") == [
        "a.v2.json",
        "a.v2.tif",
        "b.PNG",
        "b.json",
    ]
    for name in ("eight", "colour", "cut"):
        (given / f"{name}.png").unlink()
    assert [path.name for path in translate(deep, given, out, device="cpu").kept] == ["a.v2.tif", "b.PNG"]


def test_a_jpeg_becomes_a_png_and_is_refused_as_an_output(tmp_path: Path) -> None:
    from PIL import Image

    _, weights = checkpoint(tmp_path, "resnet_6")
    run = imported(weights, tmp_path, "generator.kind=resnet_6")
    (tmp_path / "in").mkdir()
    Image.fromarray(noise((20, 32, 3))).save(tmp_path / "in/a.jpg")
    made = translate(run, tmp_path / "in", tmp_path / "out", device="cpu").made
    assert [path.name for path in made] == ["a.png"]
    for name in ("a.jpg", "a.nii.gz"):
        with pytest.raises(Medp2pError, match=r"expected \.png, \.tif, \.tiff"):
            translate(run, tmp_path / "in/a.jpg", tmp_path / name, device="cpu")


def test_several_pictures_in_are_found_by_name_in_their_folders(tmp_path: Path) -> None:
    _, weights = checkpoint(tmp_path, "resnet_6", sources=4)
    run = import_weights(weights, tmp_path / "run", set=[
        "data.kind=pictures", "data.sources=[sketch,hint.red,hint.green,hint.blue]", "data.target=photo",
        "generator.channels=4", "generator.kind=resnet_6",
    ])  # fmt: skip
    for name, number, size in (("sketch", 1, (20, 32)), ("hint", 1, (20, 32, 3)), ("hint", 2, (20, 32, 3))):
        (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
        write_volume(picture(noise(size)), tmp_path / f"in/{name}/{number}.png")
    with pytest.raises(Medp2pError, match=r"2\.png: the partner of this picture is missing .*sketch/2"):
        translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    assert sorted(path.name for path in (tmp_path / "out").glob("1.*")) == ["1.json", "1.png"]
    files = {name: tmp_path / f"in/{name}/1.png" for name in ("sketch", "hint")}
    translate(run, files, tmp_path / "alone.png", device="cpu")
    assert (tmp_path / "alone.png").read_bytes() == (tmp_path / "out/1.png").read_bytes()
    with pytest.raises(Medp2pError, match=r"this folder does not hold every source .expected sketch, hint"):
        translate(run, tmp_path / "in/sketch", tmp_path / "more", device="cpu")
    for name in ("sketch", "hint"):
        (tmp_path / "split" / name / "test").mkdir(parents=True)
    with pytest.raises(Medp2pError, match=r"put the pictures themselves into .*split/sketch and .*split/hint"):
        translate(run, tmp_path / "split", tmp_path / "more", device="cpu")


def test_a_picture_of_another_size_is_resized_and_brought_back(tmp_path: Path) -> None:
    _, weights = checkpoint(tmp_path, "resnet_6")
    run = imported(
        weights, tmp_path, "generator.kind=resnet_6", "preparation.resize=[40,40]", "preparation.size=[32,32]",
        "discriminator.layers=2",
    )  # fmt: skip
    given = picture(np.full((64, 96, 3), 90, np.uint8))
    translator = medp2p.Translator.load(run, device="cpu")
    made, small = translator(given), translator(picture(np.full((32, 32, 3), 90, np.uint8)))
    assert made.shape == (96, 64, 3)
    assert abs(float(made.voxels.mean()) - float(small.voxels.mean())) < 2


def test_a_picture_for_a_model_of_scans_is_refused(model: Path, tmp_path: Path) -> None:
    write_volume(picture(noise((20, 32))), tmp_path / "a.png")
    with pytest.raises(Medp2pError, match=r"a\.png: a picture for a model of scans"):
        translate(model, tmp_path / "a.png", tmp_path / "b.nii.gz", device="cpu")


SIDES = "data.side_by_side=[photo, label]"


def pairs_in(folder: Path, count: int = 2) -> tuple[Path, list[Pixels]]:
    """Pictures that hold a photograph and, right of it, the drawing; and the drawings."""
    drawings = [noise(seed=number) for number in range(count)]
    for number, drawing in enumerate(drawings):
        folder.mkdir(exist_ok=True)
        both = np.concatenate([noise(seed=50 + number), drawing], axis=1)
        write_volume(picture(both), folder / f"{number}.png")
    return folder, drawings


def test_of_a_pair_side_by_side_the_half_asked_for_is_translated(tmp_path: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path, SIDES)
    pairs, drawings = pairs_in(tmp_path / "pairs")
    for number, drawing in enumerate(drawings):
        (tmp_path / "alone").mkdir(exist_ok=True)
        write_volume(picture(drawing), tmp_path / f"alone/{number}.png")
    translate(run, pairs, tmp_path / "halves", half="right", device="cpu")
    translate(run, tmp_path / "alone", tmp_path / "made", device="cpu")
    for number in range(2):
        made = (tmp_path / f"made/{number}.png").read_bytes()
        assert (tmp_path / f"halves/{number}.png").read_bytes() == made
    assert json.loads((tmp_path / "halves/0.json").read_text()) == json.loads((tmp_path / "made/0.json").read_text())


def test_a_picture_that_looks_like_a_pair_is_not_taken_without_a_word(tmp_path: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path, SIDES)
    pairs, _ = pairs_in(tmp_path / "pairs", 1)
    write_volume(picture(noise((256, 300, 3))), pairs / "wide.png")
    with pytest.raises(FileError, match=r"0\.png: this looks like a pair.*expected label alone.*--half right takes"):
        translate(run, pairs, tmp_path / "out", device="cpu")
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"wide.png"}
    translate(run, pairs / "0.png", tmp_path / "whole.png", half="whole", device="cpu")
    assert read_volume(tmp_path / "whole.png").shape == (512, 256, 3)


def test_a_model_that_learnt_from_single_pictures_takes_wide_ones(tmp_path: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path)
    assert read_header(model_path(run)).description.side_by_side is None
    pairs, _ = pairs_in(tmp_path / "pairs", 1)
    translate(run, pairs / "0.png", tmp_path / "whole.png", device="cpu")
    assert read_volume(tmp_path / "whole.png").shape == (512, 256, 3)


def test_half_a_picture_that_there_cannot_be_is_refused(tmp_path: Path, model: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path)
    write_volume(picture(noise((64, 65, 3))), tmp_path / "odd.png")
    with pytest.raises(FileError, match="an odd width cannot be halved"):
        translate(run, tmp_path / "odd.png", tmp_path / "out.png", half="left", device="cpu")
    with pytest.raises(ConfigError, match="no such half"):
        translate(run, tmp_path / "odd.png", tmp_path / "out.png", half="upper", device="cpu")
    with pytest.raises(ConfigError, match="only pictures of one source have halves"):
        translate(model, tmp_path / "odd.png", tmp_path / "out.png", half="left", device="cpu")


def test_pictures_of_a_format_that_is_not_read_are_told_and_stop_no_other(tmp_path: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path)
    (tmp_path / "in").mkdir()
    write_volume(picture(noise()), tmp_path / "in/0.png")
    (tmp_path / "in/1.bmp").write_bytes(b"BM")
    (tmp_path / "in/2.GIF").write_bytes(b"GIF89a")
    with pytest.raises(FileError) as refused:
        translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    assert [Path(fault.path or "").name for fault in refused.value.faults] == ["1.bmp", "2.GIF"]
    assert (tmp_path / "out/0.png").is_file()


def test_a_checkpoint_that_was_not_imported_is_told_from_a_run(tmp_path: Path) -> None:
    _, weights = checkpoint(tmp_path)
    write_volume(picture(noise()), tmp_path / "in.png")
    for place in (tmp_path, weights):
        with pytest.raises(ModelError, match=r"latest_net_G\.pth.*make a run of them: `medp2p import "):
            translate(place, tmp_path / "in.png", tmp_path / "out.png", device="cpu")


def test_a_folder_of_folders_is_answered_with_those_that_are_in_it(tmp_path: Path) -> None:
    run = imported(checkpoint(tmp_path)[1], tmp_path)
    for name in ("train", "test"):
        (tmp_path / "in" / name).mkdir(parents=True)
    with pytest.raises(FileError, match=r"found folders test, train, .*Fix: give one of the folders in it"):
        translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match=r"in this folder .expected PNG.*Fix: give another folder"):
        translate(run, tmp_path / "empty", tmp_path / "out", device="cpu")
