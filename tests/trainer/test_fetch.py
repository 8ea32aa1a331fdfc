import hashlib
import io
import re
import socket
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from filelock import FileLock

import iam_tree
from emnist_files import write
from page_tree import Written, write_page
from range_server import Behaviour, serving
from trainer.checksum import Checksum
from trainer.datasets import archive
from trainer.datasets.archive import ArchiveError
from trainer.datasets.base import SPLITS, DatasetError
from trainer.datasets.catalogue import at_hand, made, open_dataset, state_of
from trainer.datasets.iam import IamDataset
from trainer.datasets.lines import LinesDataset
from trainer.datasets.listing import listing
from trainer.datasets.page import PageDataset
from trainer.datasets.page_files import assignments
from trainer.datasets.sources import EMNIST, IAM, SOURCES, Source
from trainer.download import DownloadError, Progress, download
from trainer.fetch import FetchError, TermsError, fetch

OPEN = replace(IAM, terms=None)


@pytest.fixture(autouse=True)
def straight_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def archive_bytes(tmp_path: Path) -> bytes:
    packed = iam_tree.tutorial_zip(tmp_path / "made.zip", tmp_path / "made")
    return packed.read_bytes()


@pytest.fixture
def server(archive_bytes: bytes) -> Iterator[Behaviour]:
    with serving(Behaviour(archive_bytes)) as behaviour:
        yield behaviour


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


def bring(
    server: Behaviour,
    data: Path,
    *,
    checksum: str | None = None,
    attempts: int = 4,
    progress: Progress | None = None,
) -> Path:
    source = replace(OPEN, url=server.url, checksum=checksum)
    return fetch(source, data, attempts=attempts, wait=0.001, progress=progress)


def names(folder: Path) -> set[str]:
    """What lies there, without lock files."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


WHOLE = {"IAM_Words.zip", "IAM_Words.zip.sha256", "IAM_Words.zip.unpacked"}


def test_fetched_words_can_be_trained_on(server: Behaviour, data: Path) -> None:
    digest = hashlib.sha256(server.body).hexdigest()
    seen: list[tuple[int, int | None]] = []

    home = fetch(
        replace(IAM, url=server.url, checksum=f"sha256:{digest.upper()}"),
        data,
        accept_terms=True,
        progress=lambda done, size: seen.append((done, size)),
    )

    assert home == data / "iam"
    dataset = IamDataset(home)
    found = {s.id: s.text for split in SPLITS for s in dataset.samples(split)}
    assert found == iam_tree.WORDS
    assert names(home) == WHOLE
    assert seen[0] == (0, len(server.body))
    assert seen[-1] == (len(server.body), len(server.body))
    assert (home / "IAM_Words.zip.sha256").read_text() == f"{digest}  IAM_Words.zip\n"


def test_what_is_there_is_not_fetched_again(server: Behaviour, data: Path) -> None:
    bring(server, data)
    home = bring(server, data)
    assert len(server.seen) == 1
    assert names(home) == WHOLE


def test_what_was_cut_off_is_not_taken_for_whole(server: Behaviour, data: Path) -> None:
    source = SOURCES["peraire"]
    assert state_of(source, data) == ""
    (data / source.name).mkdir(parents=True)
    (data / source.name / f"{source.filename}.part").write_bytes(b"PK")
    assert state_of(source, data) == "cut off"
    with pytest.raises(DatasetError, match=r"was cut off.*\n.*fetch peraire"):
        open_dataset("peraire", data)
    assert at_hand(data) == []


def test_terms_come_first(data: Path) -> None:
    with pytest.raises(TermsError, match="non-commercial") as caught:
        fetch(replace(IAM, url="http://127.0.0.1:9/none.zip"), data)
    message = str(caught.value)
    assert "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database" in message
    assert len(message.splitlines()) <= 2
    assert not data.exists()


def test_a_dropped_connection_is_taken_up_at_its_last_byte(server: Behaviour, data: Path) -> None:
    server.cuts = [1000, 500]

    home = bring(server, data)

    assert server.seen == [None, "bytes=1000-", "bytes=1500-"]
    assert server.validators == [None, '"one"', '"one"']
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_the_next_run_goes_on_where_the_last_gave_up(server: Behaviour, data: Path) -> None:
    server.cuts = [1000, 0, 0]

    with pytest.raises(FetchError, match="run this again") as caught:
        bring(server, data, attempts=2)

    assert len(str(caught.value).splitlines()) == 1
    assert names(data / "iam") == {"IAM_Words.zip.part", "IAM_Words.zip.part.json"}
    server.seen.clear()
    home = bring(server, data)
    assert server.seen == ["bytes=1000-"]
    assert (home / "IAM_Words.zip").read_bytes() == server.body
    assert names(home) == WHOLE


def test_waits_grow_while_nothing_comes(
    server: Behaviour, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.cuts = [1000, 0, 0, 0, 10]
    download(server.url, tmp_path / "part", attempts=5, wait=0.01)
    # httpx logs each of its requests too
    own = [record.args for record in caplog.records if record.name == "trainer.download"]
    waits = [args[1] for args in own if isinstance(args, tuple)]
    assert waits == [0.01, 0.02, 0.04, 0.08, 0.01]


def test_a_busy_server_is_asked_again(server: Behaviour, data: Path) -> None:
    server.statuses = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS]
    home = bring(server, data)
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_a_refusal_is_final(server: Behaviour, data: Path) -> None:
    server.statuses = [HTTPStatus.NOT_FOUND]
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 answers 404 Not Found for http"):
        bring(server, data)
    assert len(server.seen) == 1


def test_a_server_without_ranges_starts_again(server: Behaviour, data: Path) -> None:
    server.cuts, server.ranges = [1000], False

    home = bring(server, data)

    assert server.seen == [None, "bytes=1000-"]
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_a_server_without_ranges_that_keeps_dropping_is_given_up(
    server: Behaviour, data: Path
) -> None:
    server.cuts, server.ranges = [1000] * 20, False
    with pytest.raises(FetchError, match="keeps failing"):
        bring(server, data, attempts=3)
    assert len(server.seen) == 4


def test_a_file_replaced_meanwhile_starts_again(server: Behaviour, data: Path) -> None:
    server.cuts = [1000, 0]
    with pytest.raises(FetchError):
        bring(server, data, attempts=1)
    other = io.BytesIO(server.body)
    with zipfile.ZipFile(other, "a") as packed:
        packed.writestr("IAM_Words/README", "second edition")
    server.body, server.etag = other.getvalue(), '"two"'

    home = bring(server, data)

    assert server.validators[-1] == '"one"'
    assert (home / "IAM_Words.zip").read_bytes() == server.body


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_resumed(
    server: Behaviour, data: Path, etag: str | None
) -> None:
    server.cuts, server.etag = [1000], etag
    home = bring(server, data)
    assert server.seen == [None, None]
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_a_part_that_does_not_fit_is_not_joined_on(server: Behaviour, data: Path) -> None:
    server.cuts, server.shift = [1000], 7
    home = bring(server, data)
    assert server.seen == [None, "bytes=1000-", None]
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_a_rest_the_server_no_longer_has_starts_again(server: Behaviour, data: Path) -> None:
    server.cuts = [1000, 0]
    with pytest.raises(FetchError):
        bring(server, data, attempts=1)
    server.statuses = [HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE]
    home = bring(server, data)
    assert (home / "IAM_Words.zip").read_bytes() == server.body


def test_bytes_of_another_address_are_not_gone_on_from(server: Behaviour, data: Path) -> None:
    server.cuts = [1000, 0]
    with pytest.raises(FetchError):
        bring(server, data, attempts=1)
    server.url = server.url.replace("/files/", "/mirror/")
    server.seen.clear()
    bring(server, data)
    assert server.seen == [None]


def test_a_whole_part_left_by_a_killed_run_is_not_fetched_again(
    server: Behaviour, data: Path
) -> None:
    home = data / "iam"
    home.mkdir(parents=True)
    download(server.url, home / "IAM_Words.zip.part")
    server.seen.clear()
    assert names(bring(server, data)) == WHOLE
    assert server.seen == []


def test_a_wrong_digest_is_refused_and_the_part_removed(server: Behaviour, data: Path) -> None:
    with pytest.raises(FetchError, match="not the archive expected") as caught:
        bring(server, data, checksum="sha256:" + "0" * 64)
    assert len(str(caught.value).splitlines()) <= 2
    assert names(data / "iam") == set()


def test_the_first_archive_is_held_to(server: Behaviour, data: Path) -> None:
    home = bring(server, data)
    (home / "IAM_Words.zip").unlink()
    other = io.BytesIO(server.body)
    with zipfile.ZipFile(other, "a") as packed:
        packed.writestr("IAM_Words/extra", "tampered")
    server.body = other.getvalue()

    with pytest.raises(FetchError, match=r"delete '.*IAM_Words\.zip\.sha256'"):
        bring(server, data)
    assert not (home / "IAM_Words.zip").exists()

    (home / "IAM_Words.zip.sha256").unlink()
    assert bring(server, data) == home


def test_an_archive_changed_on_disk_is_noticed(server: Behaviour, data: Path) -> None:
    file = bring(server, data) / "IAM_Words.zip"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FetchError, match="Delete it and run this again"):
        bring(server, data)


@pytest.mark.parametrize("cut", [2000, -1])
def test_half_an_archive_put_there_by_hand_is_not_taken_for_whole(
    server: Behaviour, data: Path, cut: int
) -> None:
    (data / "iam").mkdir(parents=True)
    (data / "iam" / "IAM_Words.zip").write_bytes(server.body[:cut])
    with pytest.raises(ArchiveError, match="cut off"):
        bring(server, data)
    assert not (data / "iam" / "IAM_Words.zip.sha256").exists()


def test_a_cut_that_the_server_hides_is_found_by_the_integrity_test(
    server: Behaviour, data: Path
) -> None:
    server.announce_length, server.cuts = False, [2000]
    with pytest.raises(ArchiveError, match="cut off"):
        bring(server, data)
    assert names(data / "iam") == set()


def test_a_damaged_member_is_found_by_the_integrity_test(server: Behaviour, data: Path) -> None:
    body = bytearray(server.body)
    body[len(body) // 3] ^= 0xFF
    server.body = bytes(body)
    with pytest.raises(ArchiveError, match="damaged"):
        bring(server, data)
    assert names(data / "iam") == set()


def test_a_page_in_place_of_the_archive_is_refused(server: Behaviour, data: Path) -> None:
    server.body = b"<html>Please log in to this network</html>"
    with pytest.raises(ArchiveError, match="not an archive"):
        bring(server, data)
    assert names(data / "iam") == set()


def test_offline_is_said_in_one_line_at_once(data: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/IAM_Words.zip"
        with pytest.raises(FetchError, match=r"Cannot reach 127\.0\.0\.1") as caught:
            fetch(replace(OPEN, url=url), data)
    assert len(str(caught.value).splitlines()) == 1
    assert names(data / "iam") == set()


def test_an_unusable_address_is_said_in_one_line(tmp_path: Path) -> None:
    for url in ("IAM_Words.zip", "http://[/IAM_Words.zip"):
        with pytest.raises(DownloadError) as caught:
            download(url, tmp_path / "part")
        assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file")
    with pytest.raises(FetchError, match="Cannot write to"):
        fetch(OPEN, tmp_path / "datasets")


def test_two_at_a_time_do_not_share_a_part(server: Behaviour, data: Path) -> None:
    (data / "iam").mkdir(parents=True)
    with FileLock(data / "iam" / ".fetch.lock"), pytest.raises(FetchError, match="already"):
        bring(server, data)


def repository_zip(path: Path, scratch: Path, *texts: str) -> Path:
    """As code hosts pack a revision: all in one folder, here with two pages of Celestine."""
    names = ("10c3fa40-d683-4703-8bc4-94b48936ce85", "e1c22fc0-d84b-4d17-96fb-e3269b4d048d")
    for name, text in zip(names, texts, strict=True):
        write_page(scratch / "data", name, [Written(text), Written("an [illegible] word")])
    (scratch / "README.md").write_text("Letters")
    with zipfile.ZipFile(path, "w") as packed:
        packed.mkdir("letters-645616d/")
        for file in sorted(scratch.rglob("*"), reverse=True):
            if file.is_file():
                packed.write(file, f"letters-645616d/{file.relative_to(scratch)}")
    return path


@pytest.fixture
def letters(server: Behaviour, tmp_path: Path) -> Source:
    """Celestine, served from this machine."""
    packed = repository_zip(tmp_path / "letters.zip", tmp_path / "letters", "Paris", "Rodez")
    server.body = packed.read_bytes()
    # the name of the file stays, as that is where the set is looked for
    server.url = server.url.replace("IAM_Words.zip", SOURCES["celestine"].filename)
    return replace(SOURCES["celestine"], url=server.url, listing=listing(packed))


def test_a_set_of_pages_opens_by_its_name_once_it_is_fetched(letters: Source, data: Path) -> None:
    with pytest.raises(DatasetError, match="python -m trainer fetch celestine"):
        open_dataset("celestine", data)
    home = fetch(letters, data, wait=0.001)
    assert home == data / "celestine"
    dataset = open_dataset("celestine", data)
    assert isinstance(dataset, PageDataset)
    assert dataset.name == "page/celestine"
    assert "Chagué" in dataset.licence
    texts = {split: [sample.text for sample in dataset.samples(split)] for split in SPLITS}
    assert sorted(text for found in texts.values() for text in found) == ["Paris", "Rodez"]
    assert dataset.skipped == {"lines: editors' marks": 2}
    assert dataset.samples("train")[0].image().min() < 60
    assert [each.name for each in at_hand(data)] == ["page/celestine"]


def test_the_same_files_packed_otherwise_are_taken(
    letters: Source, server: Behaviour, data: Path
) -> None:
    other = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(server.body)) as packed,
        zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as repacked,
    ):
        for name in sorted(packed.namelist()):
            repacked.writestr(name.replace("letters-", "moved-"), packed.read(name))
    assert other.getvalue() != server.body
    server.body = other.getvalue()
    fetch(letters, data, wait=0.001)
    assert open_dataset("celestine", data).samples("train")


def test_other_files_than_those_of_the_revision_are_refused(
    letters: Source, server: Behaviour, data: Path
) -> None:
    other = io.BytesIO(server.body)
    with zipfile.ZipFile(other, "a") as packed:
        packed.writestr("letters-645616d/data/more.xml", "<PcGts/>")
    server.body = other.getvalue()
    with pytest.raises(FetchError, match="does not hold the files expected"):
        fetch(letters, data, wait=0.001)
    assert names(data / "celestine") == set()


def test_a_set_of_pages_is_resumed_too(letters: Source, server: Behaviour, data: Path) -> None:
    server.cuts = [700, 300]
    fetch(letters, data, wait=0.001)
    assert server.seen == [None, "bytes=700-", "bytes=1000-"]


@pytest.fixture
def characters(server: Behaviour, tmp_path: Path) -> Source:
    """EMNIST with sixty characters and another of its sets, served from this machine."""
    write(tmp_path / "gzip", "test")
    (tmp_path / "gzip" / "emnist-digits-test-images-idx3-ubyte.gz").write_bytes(b"much more")
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as packed:
        for file in sorted((tmp_path / "gzip").iterdir()):
            packed.write(file, f"gzip/{file.name}")
    server.body = (tmp_path / "gzip.zip").read_bytes()
    server.url = server.url.replace("IAM_Words.zip", "gzip.zip")
    md5 = hashlib.md5(server.body).hexdigest()
    return replace(EMNIST, url=server.url, checksum=f"md5:{md5}")


def test_of_emnist_only_one_set_is_kept(characters: Source, server: Behaviour, data: Path) -> None:
    server.cuts = [300]
    with pytest.raises(DatasetError, match="python -m trainer fetch emnist"):
        open_dataset("emnist", data)
    assert [each.name for each in made(data)] == ["synthetic"]
    home = fetch(characters, data, wait=0.001)
    assert server.seen == [None, "bytes=300-"]
    assert names(home) == {"gzip.zip.md5", "gzip.zip.unpacked"}
    assert {file.name for file in (home / "gzip.zip.unpacked" / "gzip").iterdir()} == {
        "emnist-byclass-mapping.txt",
        "emnist-byclass-test-images-idx3-ubyte.gz",
        "emnist-byclass-test-labels-idx1-ubyte.gz",
    }
    assert open_dataset("emnist::30", data).samples("train")[29].image().ndim == 2
    assert [each.name for each in made(data)] == ["synthetic", "emnist"]
    server.seen.clear()
    assert fetch(characters, data) == home
    assert server.seen == []


def test_an_archive_that_its_published_md5_does_not_fit_is_refused(
    characters: Source, data: Path
) -> None:
    other = replace(characters, checksum=EMNIST.checksum)
    with pytest.raises(FetchError, match=r"\(MD5 [0-9a-f]{32}, not 58c8d27c78d21e72"):
        fetch(other, data, wait=0.001)
    assert names(data / "emnist") == set()


def test_an_archive_without_the_files_wanted_is_refused(server: Behaviour, data: Path) -> None:
    server.url = server.url.replace("IAM_Words.zip", "gzip.zip")
    source = replace(EMNIST, url=server.url, checksum=None)
    with pytest.raises(ArchiveError, match=r"holds no emnist-byclass-\*"):
        fetch(source, data, wait=0.001)


def test_a_checksum_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="sha256 or md5:VALUE"):
        Checksum.parse("crc32:1234")


def test_lines_put_in_the_place_of_a_fetched_set_are_read(data: Path) -> None:
    (data / "peraire").mkdir(parents=True)
    iam_tree.draw(data / "peraire" / "a.png", "a")
    (data / "peraire" / "lines.tsv").write_text("a.png\ttrain\tune ligne\n")
    assert open_dataset("peraire", data).name == "lines/peraire"


def test_a_tar_that_ends_in_a_zip_is_no_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as packed:
        packed.writestr("a.txt", "a")
    (tmp_path / "b.txt").write_text("b")
    with tarfile.open(tmp_path / "whole.tar", "w") as tape:
        for name in ("b.txt", "inner.zip"):
            tape.add(tmp_path / name, name)
    archive.check(tmp_path / "whole.tar")
    archive.unpack(tmp_path / "whole.tar")
    folder = archive.folder_of(tmp_path / "whole.tar")
    assert {file.name for file in folder.rglob("*.txt")} == {"a.txt", "b.txt"}


def test_a_listing_is_what_git_says_of_the_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("top/é b.txt", "hello\n")
        packed.writestr("top/a/x", "")
    # git hash-object: of "hello" and a line feed, and of nothing
    rows = (
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 a/x\n"
        "ce013625030ba8dba906f756967f9e9ca394464a é b.txt\n"
    )
    assert listing(tmp_path / "a.zip") == hashlib.sha256(rows.encode()).hexdigest()


def test_every_source_has_what_a_user_must_know() -> None:
    assert SOURCES["iam"] is IAM
    for name, source in SOURCES.items():
        assert name == source.name
        assert source.url.startswith("https://")
        assert source.licence
        assert source.about
        assert source.megabytes > 0
        assert source.filename == source.url.rsplit("/", 1)[1]
        if source.choice is not None:
            assert re.search(r"/archive/[0-9a-f]{40}\.zip$", source.url), "a revision, not a branch"
            assert re.fullmatch("[0-9a-f]{64}", source.listing or "")
            assert source.terms is None


@pytest.mark.parametrize("name", [name for name, each in SOURCES.items() if each.choice])
def test_splits_keep_documents_whole(name: str) -> None:
    pages = assignments(SOURCES[name].splits)
    splits: dict[str, set[str]] = {}
    for page in pages.values():
        splits.setdefault(page.document, set()).add(page.split)
    assert all(len(found) == 1 for found in splits.values())


PAGES_ALONE = ("timeus", "lectaurep", "cremma_mss18", "front_justice", "fondue_mss18")
"""Nobody else has cut lines from these."""


@pytest.mark.parametrize(
    "name", [name for name, each in SOURCES.items() if each.choice and name not in PAGES_ALONE]
)
def test_pages_are_split_as_the_lines_cut_from_them(name: str, shared_data: Path) -> None:
    """So that a figure on the test lines of one means the same for the other."""
    documents = {page.document: page.split for page in assignments(SOURCES[name].splits).values()}
    dataset = LinesDataset(shared_data / name)
    for split in SPLITS:
        for sample in dataset.samples(split):
            assert documents[sample.document] == split
