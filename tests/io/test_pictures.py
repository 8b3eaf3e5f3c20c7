"""Pictures: depth and colour kept, orientation honoured, everything else refused by name before memory is taken."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medp2p.errors import FileError, Medp2pError, OutputExistsError
from medp2p.io import list_images, read_regions, read_volume, write_volume
from medp2p.io.picture_read import MOST_PIXELS, picture_form
from medp2p.picture import in_channels, is_picture, of_channels, picture, pixels_of
from medp2p.volume import Volume
from tests.io import dicom_phantom

Pixels = NDArray[Any]
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def noise(shape: tuple[int, ...] = (5, 7), kind: str = "u1") -> Pixels:
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def png(pixels: Pixels, colour_type: int, bits: int, size: tuple[int, int] | None = None, extra: bytes = b"") -> bytes:
    """A PNG written by hand, so that no library decides what is in it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = size or pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(f">u{max(bits, 8) // 8}").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.tiff"])
def test_what_is_written_is_read_back_in_depth_and_colour(tmp_path: Path, kind: str, shape: Any, name: str) -> None:
    pixels = noise(shape, kind)
    write_volume(picture(pixels), tmp_path / name)
    back = read_volume(tmp_path / name)
    assert is_picture(back)
    assert back.voxels.dtype == pixels.dtype
    np.testing.assert_array_equal(pixels_of(back), pixels)


@pytest.mark.parametrize(("colour_type", "bits", "shape"), [(0, 8, (5, 7)), (0, 16, (5, 7)), (2, 8, (5, 7, 3)),
                                                            (2, 16, (5, 7, 3))])  # fmt: skip
def test_a_png_made_by_hand_is_read_bit_for_bit(tmp_path: Path, colour_type: int, bits: int, shape: Any) -> None:
    pixels = noise(shape, f"u{bits // 8}")
    (tmp_path / "a.png").write_bytes(png(pixels, colour_type, bits))
    np.testing.assert_array_equal(pixels_of(read_volume(tmp_path / "a.png")), pixels)
    assert str(picture_form(tmp_path / "a.png")).startswith(f"{1 if len(shape) == 2 else 3} channel")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_noted_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = noise((5, 7))
    turns = {1: lambda p: p, 2: np.fliplr, 3: lambda p: p[::-1, ::-1], 4: np.flipud, 5: np.transpose,
             6: lambda p: np.rot90(p, 1), 7: lambda p: p[::-1, ::-1].T, 8: lambda p: np.rot90(p, -1)}  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    for name in ("a.png", "a.tif"):
        stored.save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(pixels_of(read_volume(tmp_path / name)), upright, err_msg=name)
    stored.save(tmp_path / "a.jpg", exif=exif, quality=100)
    assert read_volume(tmp_path / "a.jpg").shape == (7, 5, 1)


def test_a_palette_becomes_its_colours_and_as_labels_its_numbers(tmp_path: Path) -> None:
    numbers = np.array([[0, 1], [2, 1]], np.uint8)
    image = Image.frombytes("P", (2, 2), numbers.tobytes())
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    assert pixels_of(read_volume(tmp_path / "a.png")).tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 0, 255], [255, 0, 0]]]
    regions = read_regions(tmp_path / "a.png", {1: "wall", 2: "door"})
    assert regions.labels[:, :, 0].T.tolist() == numbers.tolist()
    assert regions.region_names == ("wall", "door")


def test_a_bit_becomes_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.eye(4, dtype=bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels_of(read_volume(tmp_path / "a.png")), 255 * np.eye(4))


def test_transparency_that_hides_nothing_is_left_out(tmp_path: Path) -> None:
    pixels = np.dstack([noise((5, 7, 3)), np.full((5, 7), 255, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels_of(read_volume(tmp_path / "a.png")), pixels[:, :, :3])


def test_white_is_zero_is_turned_round_in_both_depths(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for kind in ("u1", "u2"):
        pixels = noise((20, 30), kind)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
        np.testing.assert_array_equal(pixels_of(read_volume(tmp_path / "a.tif")), np.iinfo(kind).max - pixels)


def test_a_radiograph_is_read_as_stored_with_bone_bright(tmp_path: Path) -> None:
    numbers = (noise((6, 4), "u2") >> 4).astype("<u2")
    dark = read_volume(dicom_phantom.radiograph(tmp_path / "a.dcm", numbers))
    np.testing.assert_array_equal(pixels_of(dark), numbers)
    inverted = dicom_phantom.radiograph(
        tmp_path / "b.dcm", numbers, PhotometricInterpretation="MONOCHROME1", sop_class=CAPTURE
    )
    np.testing.assert_array_equal(pixels_of(read_volume(inverted)), 4095 - numbers)


@pytest.mark.parametrize(("more", "cause"), [
    ({"NumberOfFrames": 2, "Rows": 3}, "several frames"),
    ({"RescaleSlope": "2", "RescaleIntercept": "0"}, "rescaled"),
    ({"PhotometricInterpretation": "RGB"}, "colours"),
    ({"Rows": 60}, "not as many"),
])  # fmt: skip
def test_a_radiograph_that_is_no_picture_is_refused(tmp_path: Path, more: dict[str, Any], cause: str) -> None:
    path = dicom_phantom.radiograph(tmp_path / "a.dcm", noise((6, 4), "u2"), stored=16, **more)
    with pytest.raises(FileError, match=cause):
        read_volume(path)


def kinds(folder: Path) -> dict[str, str]:
    """Files that are refused, and a word of why."""
    tifffile = pytest.importorskip("tifffile")
    colour = Image.fromarray(noise((5, 7, 3)))
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.convert("LAB").save(folder / "lab.tif")
    Image.fromarray(np.dstack([noise((5, 7, 3)), noise((5, 7))])).save(folder / "clear.png")
    colour.save(folder / "several.png", save_all=True, append_images=[colour.rotate(180)])
    colour.save(folder / "pages.tif", save_all=True, append_images=[colour.rotate(180)])
    (folder / "clear16.png").write_bytes(png(noise((5, 7, 4), "u2"), 6, 16))
    tifffile.imwrite(folder / "signed.tif", noise().astype("i2"))
    tifffile.imwrite(folder / "fractions.tif", noise().astype("f4"))
    tifffile.imwrite(folder / "planes.tif", noise((3, 5, 7), "u2"), photometric="rgb", planarconfig="separate")
    colour.save(folder / "a.gif")
    (folder / "a.gif").rename(folder / "gif.png")
    (folder / "text.png").write_text("no picture at all")
    (folder / "empty.png").touch()
    return {"cmyk.jpg": "CMYK", "lab.tif": "Lab", "clear.png": "transparent", "several.png": "several pictures",
            "pages.tif": "several pictures", "clear16.png": "transparency", "signed.tif": "signed",
            "fractions.tif": "fractions", "planes.tif": "plane by plane", "gif.png": "no PNG", "text.png": "no PNG",
            "empty.png": "empty"}  # fmt: skip


def test_kinds_that_are_not_read_are_refused_by_name(tmp_path: Path) -> None:
    for name, word in kinds(tmp_path).items():
        with pytest.raises(FileError, match=word) as refused:
            read_volume(tmp_path / name)
        assert str(refused.value).startswith(str(tmp_path / name))
        assert "Fix: " in str(refused.value)


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (10, MOST_PIXELS), (9000, 9000)])
def test_a_bomb_is_refused_before_memory_is_taken(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png(noise((5, 7, 3)), 2, 8, size=size))
    with pytest.raises(FileError, match=r"absurd size|more pixels than"):
        read_volume(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "b.png", "a.jpg", "a.tif"])
def test_a_picture_that_is_cut_or_damaged_is_refused_at_every_length(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "b.png":
        path.write_bytes(png(noise((15, 17, 3), "u2"), 2, 16))
    else:
        Image.fromarray(noise((15, 17, 3))).save(path)
    content = path.read_bytes()
    for length in range(1, len(content) - 20, max(1, len(content) // 23)):  # behind that nothing of the pixels is lost
        path.write_bytes(content[:length])
        with pytest.raises(Medp2pError, match=r"a\.|b\."):
            read_volume(path)


def test_a_tiff_whose_tags_lie_beyond_its_end_is_refused_and_one_with_an_odd_tag_is_read(tmp_path: Path) -> None:
    grey = Image.fromarray(np.arange(120, dtype=np.uint8).reshape(10, 12))
    grey.save(tmp_path / "odd.tif", tiffinfo={65000: "words of a scanner"})
    content = (tmp_path / "odd.tif").read_bytes()
    count = content.index(struct.pack("<HH", 262, 3)) + 4  # of what black and white mean
    (tmp_path / "beyond.tif").write_bytes(content[:count] + struct.pack("<I", 10**6) + content[count + 4 :])
    assert read_volume(tmp_path / "odd.tif").shape == (12, 10, 1)
    with pytest.raises(FileError, match=r"beyond\.tif: the picture is cut or damaged"):
        read_volume(tmp_path / "beyond.tif")


def test_a_folder_is_one_of_pictures_only_where_it_is_asked_for(tmp_path: Path) -> None:
    for name in ("2.png", "1.dcm", "ct.nii.gz", ".hidden.png", "notes.txt", "3.jpg", "3.tif"):
        (tmp_path / name).touch()
    found, faults = list_images(tmp_path, pictures=True)
    assert list(found) == ["1", "2"]
    assert "3.jpg and 3.tif" in str(faults[0])
    assert list(list_images(tmp_path)[0]) == ["ct"]


def test_what_would_lose_something_is_not_written(tmp_path: Path) -> None:
    scan = Volume(np.zeros((4, 5, 6), np.int16), np.eye(4))
    for volume, name, cause in (
        (picture(noise()), "a.jpg", "lose"),
        (picture(noise()), "a.nii.gz", "PNG or TIFF"),
        (scan, "a.png", "only a picture"),
    ):
        with pytest.raises(FileError, match=cause):
            write_volume(volume, tmp_path / name)
    write_volume(picture(noise((5, 7, 3), "u2")), tmp_path / "a.png")
    with pytest.raises(OutputExistsError):
        write_volume(picture(noise((5, 7, 3), "u2")), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_channels_taken_apart_and_put_together_are_the_picture() -> None:
    given = {"sketch": picture(noise()), "photo": picture(noise((5, 7, 3)))}
    apart = in_channels(given)
    assert list(apart) == ["sketch", "photo.red", "photo.green", "photo.blue"]
    back = of_channels(apart)
    assert list(back) == list(given)
    assert all(back[name].content_sha256() == given[name].content_sha256() for name in given)
    assert is_picture(back["photo"])


def test_a_picture_of_a_format_that_is_not_read_says_which_are(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.bmp")
    with pytest.raises(FileError, match=r"a\.bmp: a format of pictures that is not read .found \.bmp, expected \.png"):
        read_volume(tmp_path / "a.bmp")


def test_a_folder_of_pictures_is_no_series_without_its_slices(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "train/a.png")
    with pytest.raises(FileError, match="give one picture, or a configuration that names this folder"):
        read_volume(tmp_path)


def test_a_folder_of_scans_or_of_cases_is_no_series_without_its_slices(tmp_path: Path) -> None:
    (tmp_path / "head_001").mkdir()
    (tmp_path / "head_001/mr.nii.gz").touch()
    for folder in (tmp_path, tmp_path / "head_001"):
        with pytest.raises(FileError, match="give one scan, or a configuration that names this folder"):
            read_volume(folder)
