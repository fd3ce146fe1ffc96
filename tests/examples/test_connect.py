"""The Connect example: its transforms, run as Connect runs them, give the columns that its view needs."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import fastavro
import pytest

from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.schemas.contract import load_contract
from app.schemas.models import build_models
from tests.kafka.artifacts import why_not
from tests.support.brokers import cannot_run
from tests.support.events import as_dict
from tests.support.worker import CHECKOUT

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # Maven may have to fetch first

HERE = Path(__file__).parent / "connect"
EXAMPLE = CHECKOUT / "examples" / "connect"
CONFIG = json.loads((EXAMPLE / "results-jdbc-sink.json").read_text())["config"]


@pytest.fixture(scope="module")
def libraries() -> Path:
    """Connect's transforms and an Avro converter, fetched once."""
    if (reason := why_not()) is not None:
        cannot_run(f"no Java: {reason}")
    target = CHECKOUT / ".cache" / "connect-4.1.1"
    if not target.is_dir():
        target.parent.mkdir(exist_ok=True)
        incoming = tempfile.mkdtemp(prefix="connect.", dir=target.parent)
        command = ["mvn", "--batch-mode", "--quiet", "-f", HERE / "pom.xml", "dependency:copy-dependencies"]
        try:
            subprocess.run([*command, f"-DoutputDirectory={incoming}"], check=True, timeout=500)
            Path(incoming).rename(target)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    return target


def transformed(libraries: Path, event_name: str, folder: Path) -> list[dict]:
    contract = load_contract()
    decode = EventDecoder(contract, build_models(contract))
    records = [as_dict(decode(s.raw)) for s in sample_events() if s.event_name == event_name]
    with (folder / "records.avro").open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(contract.events[event_name].schema), records)
    config = EXAMPLE / "results-jdbc-sink.json"
    command = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*"]
    command += [HERE / "TransformChain.java", config, folder / "records.avro", f"canvas.{event_name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["values"]["event_id"] for line in lines] == [record["event_id"] for record in records]
    for line, record in zip(lines, records, strict=True):
        assert line["values"]["body_score"] == record["body"]["score"]
        assert line["values"]["body_mastery"] == record["body"]["mastery"]
    return lines


def test_both_tables_have_the_columns_of_the_view(libraries, tmp_path):
    view = (EXAMPLE / "newest_results.sql").read_text()
    for part in view.split("SELECT\n")[1:]:
        selected, table = re.match(r"(.*?)FROM (\w+)", part, re.DOTALL).groups()
        lines = transformed(libraries, table, tmp_path)
        assert {line["topic"] for line in lines} == {table}
        columns = lines[0]["columns"]
        wanted = set(re.findall(r"\b(?:event_id|metadata_\w+|body_\w+)\b", selected))
        assert len(wanted) > 10
        assert wanted <= columns.keys(), table
        assert CONFIG["primary.key.fields"] in columns
        # What a table has no column for: records and arrays.
        assert not {"STRUCT", "ARRAY", "MAP"} & set(columns.values())


def test_it_reads_both_result_topics_committed_and_from_the_beginning():
    assert CONFIG["topics"].split(",") == [
        f"canvas.{name}" for name in load_contract().events if name.startswith("learning_outcome_result_")
    ]
    assert CONFIG["consumer.override.isolation.level"] == "read_committed"
    assert CONFIG["consumer.override.auto.offset.reset"] == "earliest"
