"""Files in every form, whole and damaged."""

import gzip
import json
import sys

import pytest

from app.backfill import rows as rows_module
from app.backfill.errors import BackfillError, Problem
from app.backfill.fields import Fields
from app.backfill.rows import BadLine, Row, RowFile


def read(tmp_path, content, name="file"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(RowFile(path).rows())


def test_csv_with_heads_of_canvas_data_2(tmp_path):
    text = '\ufeffmeta.action,key.id,value.title\r\nU,7,"a ""b""\nc, d"\r\nU,8,\r\n\r\nU,9,""\r\n'
    assert read(tmp_path, text) == [
        Row(2, {"meta.action": "U", "id": "7", "title": 'a "b"\nc, d'}),
        Row(4, {"meta.action": "U", "id": "8", "title": None}),
        Row(6, {"meta.action": "U", "id": "9", "title": None}),
    ]


def test_a_bad_line_of_csv_does_not_stop_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "_LONGEST_FIELD", 50)
    long = "x" * 51
    text = f"id,title\n1,a\n2\n3,a,b\n4,\udcff\n5,{long}\n6,e\n".encode("utf-8", "surrogateescape")
    found = read(tmp_path, text)
    assert [one.line for one in found] == [2, 3, 4, 5, 6, 7]
    assert [one.values["id"] for one in found if isinstance(one, Row)] == ["1", "6"]
    details = [one.detail for one in found if isinstance(one, BadLine)]
    assert details[:3] == [
        "1 fields where the head names 2",
        "3 fields where the head names 2",
        "this is not UTF-8 text",
    ]
    assert "field larger than field limit" in details[3]


def test_tsv_escapes(tmp_path):
    text = "key.id\tvalue.title\tvalue.description\n7\ta\\tb\\nc\\\\d\t\\N\n8\t\t\\\\N\n9\n"
    assert read(tmp_path, text) == [
        Row(2, {"id": "7", "title": "a\tb\nc\\d", "description": None}),
        Row(3, {"id": "8", "title": "", "description": "\\N"}),
        BadLine(4, Problem.BROKEN_ROW, "1 fields where the head names 3"),
    ]


def test_json_lines_go_on_behind_a_broken_one(tmp_path):
    text = '\n{"key": {"id": 1}, "value": {"a": 2}, "meta": {"action": "U"}}\n{"id": \n[1]\n{"id": 3}\n'
    assert read(tmp_path, text) == [
        Row(2, {"id": 1, "a": 2, "meta.action": "U"}),
        BadLine(3, Problem.BROKEN_ROW, "not a JSON object"),
        BadLine(4, Problem.BROKEN_ROW, "not a JSON object"),
        Row(5, {"id": 3}),
    ]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", ["list", "pages", "one after another"])
def test_answers_of_the_rest_api(tmp_path, shape, indent):
    objects = [{"id": 1, "a": {"b": [1]}}, {"id": 2}, {"id": 3}]
    text = {
        "list": json.dumps(objects, indent=indent),
        "pages": json.dumps([objects[:2], [], objects[2:]], indent=indent),
        "one after another": "".join(json.dumps(one, indent=indent) for one in objects),
    }[shape]
    assert [one.values for one in read(tmp_path, text)] == objects


def test_a_list_that_breaks_off_says_where(tmp_path):
    found = read(tmp_path, '[\n{"id": 1},\n{"id": 2}\n')
    assert found[:2] == [Row(2, {"id": 1}), Row(3, {"id": 2})]
    assert found[2] == BadLine(
        4, Problem.BROKEN_FILE, "a comma or a closing bracket is missing after the event before"
    )


def test_gzip_and_its_end(tmp_path):
    packed = gzip.compress(b"".join(b'{"id": %d}\n' % number for number in range(50_000)))
    assert len(read(tmp_path, packed)) == 50_000
    found = read(tmp_path, packed[: len(packed) // 2])
    assert found[-1] == BadLine(len(found), Problem.BROKEN_FILE, "the compressed file is damaged or cut off")
    assert len(found) > 1000


@pytest.mark.parametrize("text", ["", "\n", "[]", "id,title\n"])
def test_nothing_in_it(tmp_path, text):
    assert read(tmp_path, text) == []


def test_parquet(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "part"
    pq.write_table(pa.table({"key.id": [1, 2], "value.title": ["a", None]}), path)
    assert list(RowFile(path).rows()) == [Row(1, {"id": 1, "title": "a"}), Row(2, {"id": 2, "title": None})]
    nested = [{"key": {"id": 1}, "value": {"title": "a"}, "meta": {"action": "U"}}]
    pq.write_table(pa.Table.from_pylist(nested), path)
    assert list(RowFile(path).rows()) == [Row(1, {"id": 1, "title": "a", "meta.action": "U"})]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BackfillError, match=r"part, row 1: .*no whole Parquet"):
        list(RowFile(path).rows())


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "part").write_bytes(b"PAR1....")
    with pytest.raises(BackfillError) as caught:
        list(RowFile(tmp_path / "part").rows())
    assert caught.value.hint == "pip install 'mastery-stream[parquet]'"


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(BackfillError, match="cannot be read"):
        list(RowFile(tmp_path).rows())


def test_nanoseconds_of_parquet(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    times = pa.array([1_768_219_200_500_000_001, None], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"updated_at": times}), tmp_path / "part")
    found = [Fields(row.values).time("updated_at") for row in RowFile(tmp_path / "part").rows()]
    assert found == [1_768_219_200_500, None]
