"""DICOM as seldom seen: numbers beyond 32 bits, swapped bytes, half a rescale, tables, fragments, words for UIDs."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian

from medp2p.errors import FileError
from medp2p.io import read_volume
from medp2p.io.dicom_write import write_series

from . import dicom_phantom as phantom
from .test_dicom_read import enhanced

MODEL = "ab" * 32


def put(one: Dataset, tag: int, vr: str, value: bytes) -> None:
    """A value as it stands in a file, whatever pydicom thinks of it."""
    one[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def words(tag: int, vr: str, value: bytes) -> phantom.Change:
    def change(one: Dataset, _: int) -> None:
        put(one, tag, vr, value)

    return change


@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 5, 5)])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_bytes_in_big_endian_words_are_swapped_back(tmp_path: Path, vr: str, shape: tuple[int, int, int]) -> None:
    values = (phantom.voxels(shape, "MR") % 251).astype(np.uint8)

    def of_bytes(one: Dataset, index: int) -> None:
        one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
        content = values[:, :, index].T.tobytes() + bytes(values[:, :, index].size % 2)
        swapped = np.frombuffer(content, np.uint16).byteswap().tobytes()
        one.add_new(0x7FE00010, vr, swapped if vr == "OW" else content)

    folder = phantom.write(tmp_path / "s", modality="MR", values=values, change=of_bytes, syntax=ExplicitVRBigEndian)
    assert np.array_equal(read_volume(folder).voxels, values)
    assert np.array_equal(pydicom.dcmread(folder / "IM0000").pixel_array, values[:, :, 0].T)


@pytest.mark.parametrize(("factor", "intercept"), [(2_000_000, -1024), (1, 2_147_483_000), (1, 10**12), (1, 5)])
def test_whole_numbers_beyond_32_bits_do_not_turn_round(tmp_path: Path, factor: int, intercept: int) -> None:
    stored = phantom.voxels(modality="MR").astype(np.int64) * factor

    def wide(one: Dataset, index: int) -> None:
        one.BitsAllocated, one.BitsStored, one.HighBit = 32, 32, 31
        one.RescaleSlope, one.RescaleIntercept = 1, intercept
        one.add_new(0x7FE00010, "OW", stored[:, :, index].T.astype("<u4").tobytes())

    read = read_volume(phantom.write(tmp_path / "s", change=wide)).voxels
    assert np.array_equal(read, stored + intercept)
    assert (read.dtype == np.int16) == (intercept == 5)


def test_a_rescale_without_end_is_refused_by_its_file(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s", change=words(0x00281053, "DS", b"1e300 "))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileError, match=r"s/IM\d+: a rescale beyond"):
            read_volume(folder)


@pytest.mark.parametrize(("name", "value", "half"), [
    ("RescaleSlope", 2, "slope"), ("RescaleIntercept", -100, "intercept"),
    ("RescaleSlope", 1, ""), ("RescaleIntercept", 0, ""),
])  # fmt: skip
def test_half_a_rescale_is_refused_where_it_would_change_a_number(
    tmp_path: Path, name: str, value: int, half: str
) -> None:
    folder = phantom.write(tmp_path / "s", modality="MR", change=lambda one, _: setattr(one, name, value))
    if not half:
        assert np.array_equal(read_volume(folder).voxels, phantom.voxels(modality="MR"))
        return
    with pytest.raises(FileError, match=rf"s/IM\d+: half a rescale \(found {half}"):
        read_volume(folder)


def test_a_number_with_an_underscore_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no finite numbers"):
        read_volume(phantom.write(tmp_path / "s", change=words(0x00281053, "DS", b"1_0 ")))


def test_numbers_that_mean_something_by_a_table_are_refused(tmp_path: Path) -> None:
    def by_table(one: Dataset, _: int) -> None:
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType = [4096, 0, 16], "US"
        table.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2")[::-1].tobytes())
        one.ModalityLUTSequence = [table]

    with pytest.raises(FileError, match="Modality LUT"):
        read_volume(phantom.write(tmp_path / "s", modality="MR", change=by_table))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("kind", "read"), [("HU", True), ("MGML", False)])
def test_an_enhanced_ct_that_is_not_in_hu_is_refused(tmp_path: Path, kind: str, read: bool, shared: bool) -> None:
    def ct(one: Dataset) -> None:
        one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
        frames = one.PerFrameFunctionalGroupsSequence
        for frame in frames:
            frame.PixelValueTransformationSequence[0].RescaleType = kind
        if shared:
            one.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = frames[
                0
            ].PixelValueTransformationSequence
            for frame in frames:
                del frame.PixelValueTransformationSequence

    path = enhanced(tmp_path / "ct.dcm", change=ct)
    if read:
        assert read_volume(path).shape == (7, 6, 5)
        return
    with pytest.raises(FileError, match="not in HU"):
        read_volume(path)


def test_fragments_before_the_pixels_are_passed_over(tmp_path: Path) -> None:
    """An icon that is compressed itself, and private bytes of a length that is not said."""
    content = encapsulate([b"\xff\xd8" + bytes(range(1, 250)) + b"\xff\xd9"])

    def icon(one: Dataset, _: int) -> None:
        small = Dataset()
        small.add_new(0x7FE00010, "OB", content)
        small[0x7FE00010].is_undefined_length = small.is_undefined_length_sequence_item = True
        small.BitsAllocated = 8
        one.IconImageSequence = [small]
        one["IconImageSequence"].is_undefined_length = True
        one.add_new(0x00291010, "OB", content)
        one[0x00291010].is_undefined_length = True

    assert np.array_equal(read_volume(phantom.write(tmp_path / "s", change=icon)).voxels, phantom.voxels())


def test_words_in_place_of_uids_are_neither_shown_nor_handed_on(tmp_path: Path) -> None:
    def named(one: Dataset, _: int) -> None:
        for tag in (0x00080018, 0x0020000D, 0x00200052):
            put(one, tag, "UI", b"DOE^JANE")
        put(one, 0x00282114, "CS", b"DOE^JANE")
        put(one, 0x00282112, "DS", b"DOE^JANE")
        one.LossyImageCompression = "01"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = phantom.write(tmp_path / "s", change=named)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_series(read_volume(folder), folder, tmp_path / "o", model_sha256=MODEL, hu=True)
    made = b"".join(path.read_bytes() for path in (tmp_path / "o").iterdir())
    assert b"DOE" not in made
    one = pydicom.dcmread(tmp_path / "o" / "0001.dcm")
    assert one.StudyInstanceUID.is_valid
    assert one.FrameOfReferenceUID.is_valid
    assert one.LossyImageCompression == "01"


def test_a_series_called_by_a_word_is_not_listed_by_it(tmp_path: Path) -> None:
    def named(one: Dataset, index: int) -> None:
        if index == 2:
            put(one, 0x0020000E, "UI", b"DOE^JANE")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = phantom.write(tmp_path / "s", change=named)
    with pytest.raises(FileError, match=r"2 series.*a UID that is none") as caught:
        read_volume(folder)
    assert "DOE" not in str(caught.value)


def test_uids_with_leading_zeros_are_handed_on_without_a_word(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = phantom.write(tmp_path / "s", change=words(0x0020000D, "UI", b"1.2.003.4711\0"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_series(read_volume(folder), folder, tmp_path / "o", model_sha256=MODEL, hu=True)
    assert b"1.2.003.4711" in (tmp_path / "o" / "0001.dcm").read_bytes()


@pytest.mark.parametrize(("letters", "name"), [
    (b"\\ISO 2022 IR 87 ", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B "),
    (b"ISO 2022 IR 6\\ISO 2022 IR 149 ", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
    (b"GB18030 ", "王^小东".encode("gb18030")),
    (b"ISO_IR 192", "Müller^Jörg ".encode()),
])  # fmt: skip
def test_names_with_escapes_are_handed_on_byte_by_byte(tmp_path: Path, letters: bytes, name: bytes) -> None:
    def change(one: Dataset, _: int) -> None:
        put(one, 0x00080005, "CS", letters)
        put(one, 0x00100010, "PN", name)

    folder = phantom.write(tmp_path / "s", change=change)
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content if name in content else _with_name(content, name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_series(read_volume(folder), folder, tmp_path / "o", model_sha256=MODEL, hu=True, keep_identity=True)
    assert name in (tmp_path / "o" / "0001.dcm").read_bytes()


def _with_name(content: bytes, name: bytes) -> bytes:
    """A file with the bytes of a name in place of what pydicom made of them."""
    start = content.index(b"\x10\0\x10\0PN")
    length = int.from_bytes(content[start + 6 : start + 8], "little")
    return content[: start + 6] + len(name).to_bytes(2, "little") + name + content[start + 8 + length :]
