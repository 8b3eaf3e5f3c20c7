"""Lists of cases as spreadsheets save them."""

from pathlib import Path

import pytest

from medp2p.config import config_from_mapping, read_cases_csv
from medp2p.errors import ConfigError

CHANNELS = ("mr", "ct")
HEADER = "id,split,patient,mr,ct,regions,allow\n"
PLAIN = HEADER + "007,train,P1,a.nii.gz,b.nii.gz,,\n1e5,test,,c.nii.gz,/d.nii.gz,r.nii.gz,hu_range\n"


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "cases.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN, PLAIN.replace(",", ";"), PLAIN.replace("\n", "\r\n"), PLAIN + "\n,,,,,,\n\n", "\ufeff" + PLAIN,
        '"id"' + PLAIN[2:],
    ],
    ids=["comma", "semicolon", "CRLF", "blank last lines", "byte-order mark", "quotes"],
)  # fmt: skip
def test_a_list_is_read_however_the_spreadsheet_saved_it(tmp_path: Path, text: str) -> None:
    first, second = read_cases_csv(written(tmp_path, text), CHANNELS)
    assert (first.id, first.split, first.patient, first.regions, first.allow) == ("007", "train", "P1", (), ())
    assert (second.id, second.patient, second.allow) == ("1e5", None, ("hu_range",))
    assert first.files == {"mr": tmp_path / "a.nii.gz", "ct": tmp_path / "b.nii.gz"}
    assert second.files["ct"] == Path("/d.nii.gz")
    assert second.regions == (tmp_path / "r.nii.gz",)


def test_several_maps_and_checks_stand_in_one_cell(tmp_path: Path) -> None:
    text = 'id,split,mr,ct,regions,allow\na,train,m,c,r 1.nii.gz | r2.nii.gz,"hu_range, body_overlap"\n'
    (entry,) = read_cases_csv(written(tmp_path, text), CHANNELS)
    assert [path.name for path in entry.regions] == ["r 1.nii.gz", "r2.nii.gz"]
    assert entry.allow == ("hu_range", "body_overlap")


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("id,split,mr\na,train,m\n", 1, "ct"),
        ("id,split,mr,ct,mask\na,train,m,c,x\n", 1, "mask"),
        ("id,split,mr,ct,ct\na,train,m,c,c\n", 1, "ct"),
        ("id,split,mr,ct\na,train,m,\n", 2, "ct"),
        ("id,split,mr,ct\na,training,m,c\n", 2, "split"),
        ("id,split,mr,ct\n\na/b,train,m,c\n", 3, "id"),
        ("id,split,mr,ct\na,train,m,c\na,train,m,c\n", 3, "id"),
        ("id,split,mr,ct\na,train,m,c,x\n", 2, None),
        ("id,split,mr,ct,allow\na,train,m,c,all\n", 2, "allow.0"),
        ("id,split,mr,ct\n", 1, None),
        ('id,split,mr,ct\n"a,train,m,c\n', 2, None),
    ],
)  # fmt: skip
def test_a_faulty_list_is_refused_with_its_line(tmp_path: Path, text: str, line: int, key: str | None) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_cases_csv(path, CHANNELS)
    assert [(fault.path, fault.line, fault.key) for fault in caught.value.faults] == [(str(path), line, key)]


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        read_cases_csv(written(tmp_path, "id,split,mr,ct\nMüller,train,m,c\n", "latin-1"), CHANNELS)
    assert caught.value.faults[0].line == 2


def test_a_list_in_the_configuration_and_in_a_file_come_out_alike(tmp_path: Path) -> None:
    written(tmp_path, PLAIN)
    first = {"id": "007", "split": "train", "patient": "P1", "mr": "a.nii.gz", "ct": "b.nii.gz"}
    second = {"id": "1e5", "split": "test", "mr": "c.nii.gz", "ct": "/d.nii.gz"}
    second |= {"regions": "r.nii.gz", "allow": ["hu_range"]}
    found = [
        config_from_mapping({"data": {"sources": "mr", "target": "ct", "cases": cases}}, folder=tmp_path)
        for cases in ("cases.csv", [first, second])
    ]
    assert found[0].data.case_entries() == found[1].data.case_entries()


def test_a_column_in_other_letters_is_told_once_and_tabs_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_cases_csv(written(tmp_path, "ID,split,MR,ct\na,train,m,c\n"), CHANNELS)
    assert [(fault.key, fault.message) for fault in refused.value.faults] == [
        ("ID", 'unknown column (found "ID"). Fix: did you mean `id`?'),
        ("MR", 'unknown column (found "MR"). Fix: did you mean `mr`?'),
    ]
    with pytest.raises(ConfigError) as refused:
        read_cases_csv(written(tmp_path, "id\tsplit\tmr\tct\na\ttrain\tm\tc\n"), CHANNELS)
    assert [fault.message.partition(" (")[0] for fault in refused.value.faults] == ["tabs between the columns"]
