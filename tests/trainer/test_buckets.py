"""Images and readings in a bucket, over the protocol of S3."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from bundles import bars
from s3_server import bucket_server
from trainer.transcription import address
from trainer.transcription.files import write_texts
from trainer.transcription.listing import Listing, ListingError
from trainer.transcription.readings import SCHEMA, Readings, Reads


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    found = {f"archive/letters/{name}": bars("aa") for name in ("1.png", "sub/2.png", "notes.txt")}
    with bucket_server(found) as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        address._system.cache_clear()
        yield found
        address._system.cache_clear()


def test_images_of_a_bucket_are_listed_and_read(files: dict[str, bytes]) -> None:
    both = ["s3://archive/letters/1.png", "s3://archive/letters/sub/2.png"]
    assert list(Listing(["s3://archive/letters"])) == both
    assert list(Listing(["s3://archive/**/*.png", "s3://archive/letters/"])) == both
    assert list(Listing(["s3://archive/letters/sub/2.png"])) == both[1:]
    assert address.read(both[1]) == files["archive/letters/sub/2.png"]
    with pytest.raises(OSError, match=r"letters/3\.png"):
        address.read("s3://archive/letters/3.png")
    with pytest.raises(ListingError, match="There is no s3://archive/elsewhere"):
        Listing(["s3://archive/elsewhere"])


def test_readings_in_a_bucket_are_whole_parts_and_become_files(files: dict[str, bytes]) -> None:
    made = Reads("models:/bars/1", "sha256:1", "greedy")
    readings = Readings("s3://archive/readings.parquet")
    with readings.writing():
        for path in Listing(["s3://archive/letters"]):
            row = {"path": path, "text": "aa", "digest": made.digest, "decoder": made.decoder}
            readings.write(pa.Table.from_pylist([row], SCHEMA))
        files["archive/readings.parquet/.part-00000003.parquet"] = b"half"
    again = Readings("s3://archive/readings.parquet")
    with again.writing():
        assert again.done(made).to_pylist() == list(Listing(["s3://archive/letters"]))
    parts = [name.rpartition("/")[2] for name in files if "parquet/" in name and name[-1] != "/"]
    assert sorted(parts) == ["part-00000001.parquet", "part-00000002.parquet"]
    assert write_texts(again, "s3://archive/texts") == 2
    assert files["archive/texts/sub/2.png.txt"] == b"aa\n"
