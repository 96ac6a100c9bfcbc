"""What one client reports, and what it used between two samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.host.drm.drm_host import AMD, ARC, IGPU, MIB, SECOND, amdgpu, i915, xe
from tui.host.drm.fdinfo import Client, Engine, LoadMeter, loads, monotonic, parse
from tui.host.drm.hwmon import MIN_INTERVAL


def parsed(text: str, at: float = 0.0) -> Client:
    client = parse(text.encode(), at)
    assert client is not None
    return client


def test_a_client_of_i915() -> None:
    client = parsed(i915(39, render=346249, video=7), at=5.0)
    assert (client.at, client.address, client.id) == (5.0, IGPU, 39)
    assert client.engines == {
        "render": Engine(346249),
        "copy": Engine(0),
        "video": Engine(7, capacity=2),
        "video-enhance": Engine(0),
    }
    assert client.memory == 4 * MIB  # what is resident, not all that was requested


def test_a_client_of_xe() -> None:
    client = parsed(xe(3, total=7655183225, rcs=28257900))
    assert (client.address, client.id) == (ARC, 3)
    assert client.engines == {
        "rcs": Engine(28257900, 7655183225),
        "vcs": Engine(0, 7655183225, 2),
        "ccs": Engine(0, 7655183225, 4),
    }
    assert client.memory == 20 * MIB  # the card's own, without gtt


def test_a_client_of_amdgpu() -> None:
    client = parsed(amdgpu(38, "gfx 12", "enc_1 4", vram=512 * MIB))
    assert (client.address, client.id) == (AMD, 38)
    assert client.engines == {"gfx": Engine(12), "enc_1": Engine(4)}
    assert client.memory == 512 * MIB


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pos:\t0\nflags:\t02\n",
        "drm-driver:\ti915\n",
        "drm-client-id:\t3\n",
        "drm-driver:\ti915\ndrm-client-id:\t-3\n",
        "drm-driver:\ti915\ndrm-client-id:\t99999999999999999999\n",
        "drm-driver:\ti915\ndrm-client-id:\t3\ndrm-pdev:\t../../etc\n",
        "\x00\xff" * 40,
    ],
)
def test_what_is_no_client_that_can_be_distinguished_from_others(text: str) -> None:
    assert parse(text.encode("latin-1"), 0.0) is None


@pytest.mark.parametrize(
    "line",
    [
        "drm-engine-render:\t-5 ns",
        "drm-engine-render:\t5",
        "drm-engine-render:\t5 us",
        "drm-engine-render:\t5 ns ns",
        "drm-engine-render:\t1e9 ns",
        "drm-engine-render:\t18446744073709551616 ns",
        "drm-engine-ren der:\t5 ns",
        "drm-engine-\x1b[31m:\t5 ns",
        "drm-engine-:\t5 ns",
        "drm-engine-render:\t5 ns\ndrm-engine-capacity-render:\t0",
        "drm-cycles-render:\t5",
        "drm-cycles-render:\t5\ndrm-total-cycles-render:\tmany",
        "drm-client-name:\tdrm-engine-render: 5 ns",
    ],
)
def test_an_engine_that_makes_no_sense_is_left_out(line: str) -> None:
    text = f"drm-driver:\ti915\ndrm-client-id:\t3\n{line}\ndrm-engine-copy:\t1 ns\n"
    assert parsed(text).engines == {"copy": Engine(1)}


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("drm-resident-system0:\t4096", 4096),
        ("drm-total-system0:\t8 KiB", 8192),
        ("drm-total-vram0:\t3 MiB\ndrm-memory-vram0:\t2 MiB\ndrm-resident-vram0:\t1 MiB", MIB),
        ("drm-memory-gtt: \t2 MiB\ndrm-memory-cpu: \t1 MiB", 3 * MIB),
        ("drm-resident-local0:\t2 MiB\ndrm-resident-system0:\t9 MiB", 2 * MIB),
        ("drm-resident-vram0:\t0\ndrm-resident-gtt:\t9 MiB", 0),
        ("drm-total-cycles-rcs:\t77", None),
        ("drm-resident-vram0:\t99999999999999 MiB", None),
        ("drm-resident-vram0:\t1 GiB", None),
        ("", None),
    ],
)
def test_the_memory_of_a_client(lines: str, size: int | None) -> None:
    assert parsed(f"drm-driver:\txe\ndrm-client-id:\t3\n{lines}\n").memory == size


def test_the_first_of_two_lines_counts() -> None:
    text = i915(3, render=7) + "drm-client-id:\t4\ndrm-engine-render:\t9 ns\n"
    assert (parsed(text).id, parsed(text).engines["render"].busy) == (3, 7)


def test_engines_are_bounded() -> None:
    many = "".join(f"drm-engine-e{n}:\t1 ns\n" for n in range(500))
    assert len(parsed("drm-driver:\ti915\ndrm-client-id:\t3\n" + many).engines) == 64


# --- two samples --------------------------------------------------------------------


def sample(at: float, **engines: Engine) -> Client:
    return Client(at, IGPU, 1, engines)


def test_nanoseconds_are_shares_of_the_time_and_of_all_engines_of_the_kind() -> None:
    before = sample(10.0, render=Engine(SECOND), video=Engine(0, capacity=2))
    after = sample(12.0, render=Engine(2 * SECOND), video=Engine(SECOND, capacity=2))
    assert loads(before, after) == {"render": 50.0, "video": 25.0}


def test_cycles_are_shares_of_the_cycles_of_the_gpu() -> None:
    before, after = sample(1.0, ccs=Engine(10, 1000, 4)), sample(9.0, ccs=Engine(210, 1100, 4))
    assert loads(before, after) == {"ccs": 50.0}


def test_no_load_without_time() -> None:
    assert loads(sample(1.0, render=Engine(0)), sample(1.0, render=Engine(5))) == {}
    assert loads(sample(1.0, rcs=Engine(0, 7)), sample(2.0, rcs=Engine(5, 7))) == {}


def test_no_load_where_the_clock_of_the_gpu_was_set_back() -> None:
    before, after = sample(1.0, rcs=Engine(50, 1000)), sample(2.0, rcs=Engine(0, 10))
    assert loads(before, after) == {}
    assert monotonic(before, after) == after


def test_an_engine_that_is_used_for_the_first_time() -> None:
    assert loads(sample(0.0), sample(1.0, gfx=Engine(SECOND // 4))) == {"gfx": 25.0}
    assert loads(sample(0.0), sample(1.0, rcs=Engine(5, 7))) == {}


def test_a_counter_that_falls_behind_keeps_its_value_until_it_has_caught_up() -> None:
    meter = LoadMeter(sample(0.0, render=Engine(SECOND)))
    meter.read(sample(1.0, render=Engine(SECOND // 2)))
    assert meter.loads == {"render": 0.0}
    meter.read(sample(2.0, render=Engine(SECOND + SECOND // 10)))
    assert meter.loads == {"render": 10.0}


def test_a_meter_needs_two_samples_and_does_not_measure_over_an_instant() -> None:
    meter = LoadMeter(sample(0.0, render=Engine(0)))
    assert meter.loads is None
    meter.read(sample(MIN_INTERVAL / 2, render=Engine(SECOND)))
    assert meter.loads is None
    meter.read(sample(1.0, render=Engine(SECOND // 2)))
    assert meter.loads == {"render": 50.0}
    meter.read(sample(1.1, render=Engine(SECOND)))
    assert meter.loads == {"render": 50.0}
    assert meter.latest.engines["render"].busy == SECOND
    meter.read(sample(2.0, render=Engine(SECOND)))
    assert meter.loads == {"render": 50.0}


counts = st.integers(0, (1 << 64) - 1)
engines = st.builds(Engine, counts, st.one_of(st.none(), counts), st.integers(1, 64))
clients = st.builds(
    Client,
    st.floats(0, 1e9),
    st.just(IGPU),
    st.just(1),
    st.dictionaries(st.sampled_from(["render", "rcs", "dec"]), engines),
)


@given(clients, clients)
def test_loads_are_percentages_and_steady_counters_never_fall(a: Client, b: Client) -> None:
    for load in loads(a, b).values():
        assert 0 <= load <= 100
    kept = monotonic(a, b)
    assert replace(kept, engines={}) == replace(b, engines={})
    assert all(kept.engines[name].busy >= engine.busy for name, engine in b.engines.items())


keys = st.sampled_from([
    "drm-driver", "drm-client-id", "drm-pdev", "drm-engine-a", "drm-engine-capacity-a",
    "drm-cycles-a", "drm-total-cycles-a", "drm-resident-vram", "drm-total-", "drm-memory-cpu",
])  # fmt: skip
values = st.one_of(
    st.text(max_size=20), counts.map(str), counts.map(lambda n: f"{n} ns"),
    counts.map(lambda n: f"{n} KiB"), st.just(AMD), st.just("amdgpu"),
)  # fmt: skip


@given(st.one_of(st.binary(max_size=400), st.lists(st.tuples(keys, values)).map(
    lambda lines: "\n".join(f"{key}:\t{value}" for key, value in lines).encode()
)))  # fmt: skip
def test_any_text_is_a_client_within_bounds_or_none(data: bytes) -> None:
    client = parse(data, 1.0)
    if client is not None:
        assert 0 <= client.id < 1 << 64
        assert client.memory is None or 0 <= client.memory < 64 << 50
        for name, engine in client.engines.items():
            assert name.isascii()
            assert engine.capacity > 0
            assert 0 <= engine.busy < 1 << 64
