"""The store behind a bucket: nothing wrong is believed, and nothing is lost."""

import json
import threading
import time
from itertools import count

import pytest
from bucket_proxy import STOP, proxy
from bucket_stores import KEY, OTHER, object_with, objects, overwrite

from litegate.build import bucket as bucket_module
from litegate.build import remote_store
from litegate.build.bucket import Bucket
from litegate.build.store import ANSWERS, EVALUATIONS, Store
from litegate.core.errors import StoreError

pytest.importorskip("obstore")
pytest.importorskip("moto")


def test_another_machine_reads_what_one_has_put(machine, put):
    """The second machine's folder was empty, and has the entry afterwards."""
    (first, _), (second, notices) = machine("first"), machine("second")
    assert not machine("early")[0].has(EVALUATIONS, KEY)
    put(first, b"samples")
    assert second.get(EVALUATIONS, KEY) == {"a": b"samples", "b": b"{}"}
    assert Store(second.root).get(EVALUATIONS, KEY)["a"] == b"samples"
    assert second.keys_of(EVALUATIONS, "stem") == [KEY]
    assert notices == []


def test_an_entry_without_bytes(machine, put):
    """An empty file is a file."""
    put(machine("first")[0], b"")
    assert machine("second")[0].get(EVALUATIONS, KEY)["a"] == b""


def test_the_first_of_two_writers_wins(machine, put, url):
    """The second one takes what is there, and its own bytes are not used."""
    (first, _), (second, notices) = machine("first"), machine("second")
    second.remote.download = _then(second.remote.download, lambda: put(first, b"first"))
    put(second, b"second")
    for store in (first, second, machine("third")[0]):
        assert store.get(EVALUATIONS, KEY)["a"] == b"first"
    assert notices == []


def _then(function, act):
    """Call `act` once, after the first call of a function, whether it fails or not."""
    acts = [act]

    def wrapped(*args):
        try:
            return function(*args)
        finally:
            if acts:
                acts.pop()()

    return wrapped


def test_many_writers_at_once_agree(machine, tmp_path, url):
    """Threads stand for machines: each has a folder of its own."""
    stores = [machine(f"m{number}")[0] for number in range(4)]

    def write(number, store):
        source = tmp_path / f"source{number}"
        source.write_bytes(b"bytes of %d" % number)
        store.put(EVALUATIONS, KEY, {"a": source})

    threads = [threading.Thread(target=write, args=it) for it in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.get(EVALUATIONS, KEY)["a"] for store in stores}) == 1


def test_a_writer_killed_before_the_manifest_leaves_no_entry(machine, put, url):
    """Objects come first, and the next writer of the key completes the entry."""
    first, _ = machine("first")
    first.remote.bucket.create = _only(first.remote.bucket.create, "objects/", "litegate-store")
    with pytest.raises(KeyboardInterrupt):
        put(first, b"samples")
    assert {path.partition("/")[0] for path in objects(url)} == {"objects"}
    second, _ = machine("second")
    assert not second.has(EVALUATIONS, KEY)
    put(second, b"samples")
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


def _only(create, *prefixes):
    """End as by Ctrl-C when another path is created."""

    def wrapped(path, content):
        if not path.startswith(prefixes):
            raise KeyboardInterrupt
        return create(path, content)

    return wrapped


@pytest.mark.parametrize("damaged", [b"sampleS", b"sampl"], ids=["flipped", "truncated"])
def test_a_damaged_object_is_not_used_and_replaced(machine, put, url, damaged):
    """Reported, built again, and sound for the next reader."""
    put(machine("first")[0], b"samples")
    overwrite(url, object_with(url, b"samples"), damaged)
    second, notices = machine("second")
    assert not second.has(EVALUATIONS, KEY)
    assert "is damaged" in notices[0]
    assert "is damaged" in second.remote.rejections[0]
    put(second, b"samples")
    assert len(notices) == 1
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b"[" * 100_000,
        b'{"key": "%b", "stem": "", "files": {"a": "../../x"}}' % KEY.encode(),
        b'{"key": "%b", "stem": "", "files": {"a": "%b"}}' % (OTHER.encode(), b"0" * 64),
        b'{"key": "%b", "stem": "", "files": {"a": "%b"}}' % (KEY.encode(), b"0" * 64),
        b" " * (remote_store.MOST_MANIFEST_BYTES + 1),
    ],
    ids=["cut", "deep", "path", "other_key", "no_object", "large"],
)
def test_a_wrong_manifest_is_not_used_and_replaced(machine, put, url, manifest):
    """Whatever a manifest says, an entry is used only if it verifies."""
    put(machine("first")[0], b"samples")
    overwrite(url, f"{EVALUATIONS}/{KEY}.json", manifest)
    second, notices = machine("second")
    assert not second.has(EVALUATIONS, KEY)
    assert len(notices) == 1
    put(second, b"samples")
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


def test_a_replaced_entry_is_not_replaced_again(machine, put, url):
    """Two machines refuse the same entry; what the first one writes stays."""
    put(machine("first")[0], b"samples")
    overwrite(url, f"{EVALUATIONS}/{KEY}.json", b"damaged")
    (second, _), (third, _) = machine("second"), machine("third")
    assert not second.has(EVALUATIONS, KEY)
    assert not third.has(EVALUATIONS, KEY)
    put(second, b"of the second")
    put(third, b"of the third")
    assert third.get(EVALUATIONS, KEY)["a"] == b"of the second"


def test_a_missing_object_is_a_miss_and_put_again(machine, put, url):
    """An object that was pruned beside a running build."""
    put(machine("first")[0], b"samples")
    Bucket(url).delete([object_with(url, b"samples")])
    second, notices = machine("second")
    assert not second.has(EVALUATIONS, KEY)
    assert "missing" in notices[0]
    put(second, b"samples")
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


def test_what_a_run_forgets_is_not_taken_again(machine, put):
    """An entry of sound files whose content a run cannot use is replaced."""
    put(machine("first")[0], b"useless")
    second, _ = machine("second")
    assert second.has(EVALUATIONS, KEY)
    second.forget(EVALUATIONS, KEY)
    assert not second.has(EVALUATIONS, KEY)
    put(second, b"useful")
    assert machine("third")[0].get(EVALUATIONS, KEY)["a"] == b"useful"


def test_damage_of_the_folder_is_healed_from_the_bucket(machine, put, url):
    """Only the local copy was wrong, so the bucket's entry is taken again and not replaced."""
    put(machine("first")[0], b"samples")
    assert machine("second")[0].has(EVALUATIONS, KEY)
    before = {path: Bucket(url).info(path) for path in objects(url)}
    again, _ = machine("second")
    again.forget(EVALUATIONS, KEY)
    assert again.get(EVALUATIONS, KEY)["a"] == b"samples"
    assert {path: Bucket(url).info(path) for path in objects(url)} == before


def test_an_old_object_is_written_again(machine, put, url, monkeypatch):
    """At half the grace time and above `prune` may be about to remove it."""
    put(machine("first")[0], b"samples")
    path = object_with(url, b"samples")
    written = Bucket(url).info(path).modified
    now = time.time()
    for age, is_renewed in ((remote_store.GRACE / 2 - 60, False), (remote_store.GRACE / 2, True)):
        time.sleep(1.1 if is_renewed else 0)  # the server's clock has whole seconds
        monkeypatch.setattr(remote_store.time, "time", lambda age=age: now + age)
        put(machine(f"at {age}")[0], b"samples", key=OTHER if is_renewed else "3" * 64)
        assert (Bucket(url).info(path).modified > written) is is_renewed


def test_a_readonly_run_writes_nothing(machine, put, url):
    """It builds, keeps the entry in its folder, and does not replace a damaged one."""
    put(machine("first")[0], b"samples")
    overwrite(url, f"{EVALUATIONS}/{KEY}.json", b"damaged")
    before = objects(url)
    second, _ = machine("second", readonly=True)
    put(second, b"built here")
    put(second, b"answers", key=OTHER, group=ANSWERS)
    assert objects(url) == before
    assert Store(second.root).get(EVALUATIONS, KEY)["a"] == b"built here"


@pytest.mark.parametrize("status", [403, 503, STOP])
def test_a_failing_server_is_reported_once(machine, put, server, reach, status):
    """The run goes on with its folder, and asks no more."""
    requests = []
    with proxy(server.address, lambda request: requests.append(request) or status) as endpoint:
        reach(endpoint)
        store, notices = machine("only")
        put(store, b"samples")
        asked = len(requests)
        put(store, b"more", key=OTHER)
    assert 1 <= asked == len(requests) <= 3
    assert store.get(EVALUATIONS, KEY)["a"] == b"samples"
    [notice] = notices
    assert store.remote.url in notice
    assert "\n" not in notice


@pytest.mark.parametrize("status", [403, 503])
def test_a_required_store_fails_the_run(machine, put, server, reach, url, status):
    """The error names the store and the option."""
    with proxy(server.address, lambda _: status) as endpoint:
        reach(endpoint)
        store, _ = machine("only", required=True)
        for act in (store.remote.demand_reachable, lambda: put(store, b"samples")):
            with pytest.raises(StoreError, match=rf"{url}[\s\S]*--litegate-store-required"):
                act()


def test_a_silent_server_costs_few_seconds(machine, put, monkeypatch, server, reach):
    """The limits of the time, divided by ten."""
    for name in ("_TIMEOUT", "_RETRY_TIMEOUT"):
        monkeypatch.setattr(bucket_module, name, getattr(bucket_module, name) / 10)
    assert bucket_module._TIMEOUT * 10 + bucket_module._RETRY_TIMEOUT * 10 <= 10
    with proxy(server.address, lambda _: time.sleep(5) or STOP) as endpoint:
        reach(endpoint)
        store, notices = machine("only")
        start = time.monotonic()
        assert not store.has(EVALUATIONS, KEY)
        assert time.monotonic() - start < 3
    assert len(notices) == 1


def test_a_server_may_stop_after_any_request(machine, put, server, reach, tmp_path):
    """The entry is complete in the folder, and in the bucket complete or not there."""
    for number in range(9):  # a put takes eight
        left = count(number, -1)

        def stop(_, left=left):
            return STOP if next(left) <= 0 else None

        key = f"{number:064x}"
        with proxy(server.address, stop) as endpoint:
            reach(endpoint)
            store, notices = machine(f"stops after {number}")
            put(store, b"samples %d" % number, key=key)
            assert len(notices) == (number < 8)
        assert store.get(EVALUATIONS, key)["a"] == b"samples %d" % number
        reach()
        reader, notices = machine(f"reader {number}")
        if reader.has(EVALUATIONS, key):
            assert reader.get(EVALUATIONS, key)["a"] == b"samples %d" % number
        assert notices == []
    assert reader.has(EVALUATIONS, key)  # the last one got all of its requests


def test_who_may_not_write_still_reads(machine, put, server, reach):
    """A role that may only read is told once."""
    put(machine("first")[0], b"samples")
    denied = {"PUT", "POST", "DELETE"}
    with proxy(server.address, lambda it: 403 if it.command in denied else None) as endpoint:
        reach(endpoint)
        store, notices = machine("reader")
        put(store, b"new", key=OTHER)
        assert store.get(EVALUATIONS, KEY)["a"] == b"samples"
        put(store, b"newer", key="3" * 64)
    [notice] = notices
    assert "goes on reading" in notice


def test_a_server_without_conditional_puts_is_not_written_to(machine, put, server, reach, url):
    """One that ignores If-None-Match would let the second writer win."""
    if server.scheme == "az":
        pytest.skip("Azure signs the condition, so a proxy cannot drop it")

    def forget_condition(request):
        del request.headers["If-None-Match"]

    with proxy(server.address, forget_condition) as endpoint:
        reach(endpoint)
        store, notices = machine("only")
        put(store, b"samples")
    reach()
    assert objects(url) == {}
    [notice] = notices
    assert store.remote.url in notice
    assert "If-None-Match" in notice
    assert store.get(EVALUATIONS, KEY)["a"] == b"samples"


def test_an_object_that_exists_and_is_gone_is_tried_again(machine, put, url, monkeypatch):
    """Another machine prunes between two requests."""
    store, notices = machine("only")
    create, refusals = store.remote.bucket.create, {f"{EVALUATIONS}/{KEY}.json"}

    def refuse_once(path, content):
        if path.startswith("objects/") and path not in refusals:
            refusals.add(path)
            return False
        if path in refusals and path.startswith(EVALUATIONS):
            refusals.remove(path)
            return False
        return create(path, content)

    store.remote.bucket.create = refuse_once
    put(store, b"samples")
    assert notices == []
    assert machine("second")[0].get(EVALUATIONS, KEY)["a"] == b"samples"


def test_a_bucket_that_does_not_exist(machine, put, server):
    """It reads as empty, and the first write reports it."""
    store, notices = machine("only")
    store.remote.bucket.url = f"{server.scheme}://no-such-bucket/prefix"
    put(store, b"samples")
    assert len(notices) == 1


def forge(url, **fields):
    """Replace an entry's manifest by one with other fields."""
    path = f"{EVALUATIONS}/{KEY}.json"
    overwrite(url, path, json.dumps(json.loads(objects(url)[path]) | fields).encode())


@pytest.fixture
def keys():
    """The two keys of signed entries."""
    private, public = pytest.importorskip("litegate.build.signatures").generate()
    return {"private_key": private, "public_key": public}


def test_a_signed_entry_is_used(machine, put, keys):
    """By whoever has the public key; and by those that demand no signature."""
    put(machine("main", **keys)[0], b"samples")
    for options in ({"public_key": keys["public_key"]}, {}):
        store, notices = machine(f"with {len(options)}", **options)
        assert store.get(EVALUATIONS, KEY)["a"] == b"samples"
        assert notices == []


def test_an_unsigned_entry_is_built_again(machine, put, keys, url):
    """Who can write to the bucket cannot decide; the owner of the private key replaces it."""
    somebody, _ = machine("somebody")
    for key in (KEY, OTHER):
        put(somebody, b"forged", key=key)
    before = objects(url)
    reader, notices = machine("reader", public_key=keys["public_key"])
    assert not reader.has(EVALUATIONS, KEY)
    assert not reader.has(EVALUATIONS, OTHER)
    [notice] = notices
    assert "evaluations/111111111111 is not used: not signed" in notice
    [note] = reader.remote.rejections
    assert "evaluations/111111111111, evaluations/222222222222: not signed" in note
    put(reader, b"built here")
    assert objects(url) == before  # nobody would use what it cannot sign
    main, _ = machine("main", **keys)
    put(main, b"built by main")
    again, _ = machine("again", public_key=keys["public_key"])
    assert again.get(EVALUATIONS, KEY)["a"] == b"built by main"


def test_a_signature_of_another_entry_is_not_used(machine, put, keys, url):
    """Replayed under another key, and with another file of the store."""
    main, _ = machine("main", **keys)
    put(main, b"samples")
    put(main, b"other samples", key=OTHER)
    of_other = json.loads(objects(url)[f"{EVALUATIONS}/{OTHER}.json"])
    for number, fields in enumerate(
        [{"signature": of_other["signature"]}, of_other, of_other | {"key": KEY}]
    ):
        forge(url, **fields)
        reader, notices = machine(f"reader {number}", public_key=keys["public_key"])
        assert not reader.has(EVALUATIONS, KEY)
        assert len(notices) == 1


def test_what_is_missing_is_asked_for_once(machine, put, server, reach):
    """A run looks several times for what it is about to build."""
    requests = []
    with proxy(server.address, lambda it: requests.append(it.command)) as endpoint:
        reach(endpoint)
        store, _ = machine("only")
        for _ in range(3):
            assert not store.has(EVALUATIONS, KEY)
        assert requests == ["GET"]
        put(store, b"samples")
        assert requests.count("GET") == 1
    reach()
    assert machine("second")[0].has(EVALUATIONS, KEY)
