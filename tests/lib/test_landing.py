"""Landing: numbered, complete before it is visible, and the bytes as received or an error."""

from pathlib import Path
from threading import Barrier, Thread

import pytest

from medallion import conf
from medallion import landing as landing_module
from medallion.errors import LandingError
from medallion.landing import Landing, Manifest, batches

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(conf.load("shop", [f"storage.landing.root={tmp_path}"], PROJECT), "orders")


def test_deliveries_are_numbered_in_order_of_publication(landing: Landing) -> None:
    assert (landing.newest(), landing.after(0)) == (0, [])

    numbers = [landing.deliver([("a.json", content)]).number for content in (b"1", b"2", b"3")]

    assert numbers == [1, 2, 3]
    assert landing.newest() == 3
    assert [manifest.number for manifest in landing.after(1)] == [2, 3]


def test_a_delivery_keeps_its_bytes_as_received(landing: Landing) -> None:
    delivered = landing.deliver([("a.json", b"\xff\r\n\0"), ("b.json", b"")])

    found = landing.manifest(1)

    assert found == delivered
    assert [content for _, content in landing.contents(found)] == [b"\xff\r\n\0", b""]
    assert (found.bytes, [file.name for file in found.files]) == (4, ["a.json", "b.json"])


def test_equal_deliveries_have_equal_hashes(landing: Landing) -> None:
    one, same, other = (landing.deliver([("a.json", content)]) for content in (b"1", b"1", b"2"))

    assert one.sha256 == same.sha256 != other.sha256


def test_nothing_is_visible_before_all_of_a_delivery_is_there(landing: Landing) -> None:
    def files() -> object:
        yield "a.json", b"1"
        assert landing.newest() == 0
        raise ConnectionError("the sender hung up")

    with pytest.raises(ConnectionError):
        landing.deliver(files())  # type: ignore[arg-type]

    assert landing.newest() == 0
    assert landing.deliver([("a.json", b"1")]).number == 1


def test_a_publisher_killed_before_its_manifest_is_linked_leaves_nothing(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(landing_module.os, "link", killed)
        landing.deliver([("a.json", b"lost")])

    assert landing.newest() == 0
    assert [content for _, content in landing.contents(landing.deliver([("a.json", b"kept")]))] == [b"kept"]


def test_publishers_that_race_get_numbers_of_their_own_and_lose_nothing(landing: Landing) -> None:
    publishers, each = 8, 5
    start = Barrier(publishers)

    def publish(who: int) -> None:
        start.wait()
        for turn in range(each):
            landing.deliver([("a.json", f"{who}-{turn}".encode())])

    threads = [Thread(target=publish, args=(who,)) for who in range(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    manifests = landing.after(0)
    contents = [content for manifest in manifests for _, content in landing.contents(manifest)]
    assert [manifest.number for manifest in manifests] == list(range(1, publishers * each + 1))
    assert sorted(contents) == sorted(f"{w}-{t}".encode() for w in range(publishers) for t in range(each))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a.json", "folder/a.json", "/etc/passwd", "a\0.json", "folder/", "\udcff.json"]
)
def test_a_name_that_is_more_than_a_file_name_is_refused(landing: Landing, name: str) -> None:
    with pytest.raises(LandingError, match="wanted a plain name without folders"):
        landing.deliver([(name, b"1")])

    assert landing.newest() == 0


def test_a_name_that_is_there_twice_is_refused(landing: Landing) -> None:
    with pytest.raises(LandingError, match=r"orders: found file name 'a\.json' twice in one delivery"):
        landing.deliver([("a.json", b"1"), ("a.json", b"2")])

    assert landing.newest() == 0


@pytest.mark.parametrize("name", [".manifest", ".json", "000000000001.json", "ä é.json", "-rf"])
def test_an_odd_name_is_a_name_like_any_other(landing: Landing, name: str) -> None:
    manifest = landing.deliver([(name, b"1")])

    assert [(file.name, content) for file, content in landing.contents(manifest)] == [(name, b"1")]


def test_a_changed_or_missing_file_is_noticed_against_its_manifest(landing: Landing) -> None:
    changed, missing = (landing.deliver([("a.json", b"as received")]) for _ in range(2))
    (landing.folder / changed.files[0].path).write_bytes(b"AS RECEIVED")
    (landing.folder / missing.files[0].path).unlink()

    with pytest.raises(LandingError, match="its bytes differ from manifest 1; wanted the file as received"):
        list(landing.contents(changed))
    with pytest.raises(LandingError, match="of delivery 2: No such file"):
        list(landing.contents(missing))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"number": 1}', '{"number": 1, "files": [{}]}'])
def test_a_manifest_that_cannot_be_read_is_named(landing: Landing, damage: str) -> None:
    landing.deliver([("a.json", b"1")])
    (landing.folder / "manifests" / "000000000001.json").write_text(damage)

    with pytest.raises(LandingError, match=r"000000000001\.json: found no readable manifest .*; wanted delivery 1"):
        landing.manifest(1)


def test_a_gap_in_the_numbers_is_noticed(landing: Landing) -> None:
    for _ in range(3):
        landing.deliver([("a.json", b"1")])
    (landing.folder / "manifests" / "000000000002.json").unlink()

    with pytest.raises(LandingError, match="wanted delivery 2"):
        landing.after(0)


def test_batches_are_bounded_in_bytes_and_keep_the_order(landing: Landing) -> None:
    sizes = (3, 3, 3, 20, 1, 0)
    manifests = [landing.deliver([("a.json", b"x" * size)]) for size in sizes]

    def numbers(found: list[Manifest]) -> list[int]:
        return [manifest.number for manifest in found]

    assert [numbers(batch) for batch in batches(manifests, 6)] == [[1, 2], [3], [4], [5, 6]]
    assert [numbers(batch) for batch in batches(manifests, 1_000)] == [[1, 2, 3, 4, 5, 6]]
    assert list(batches([], 6)) == []
