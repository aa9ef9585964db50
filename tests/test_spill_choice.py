"""Which codec temporary data get: the best by what was measured, and never far from it where that is uncertain."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpustools.files import temporary
from corpustools.files.temporary import Meter, TemporaryFiles
from corpustools.machine import processor_time, thread_waited
from corpustools.stages.shuffle import choice as choice_module
from corpustools.stages.shuffle.choice import NOTHING_SAVED, Choice, CodecCost, Pace, Surroundings, Trial, best, seconds
from corpustools.stages.shuffle.codecs import CODECS, LZ4, RAW, ZSTD

MIB = 1 << 20
# Measured on lines of English and Chinese in random order: stored bytes, and seconds both ways.
TEXT = {RAW: NOTHING_SAVED, LZ4: CodecCost(0.62, 2.9e-9), ZSTD: CodecCost(0.48, 6.9e-9)}
NOISE = {RAW: NOTHING_SAVED, LZ4: CodecCost(1.0, 0.6e-9), ZSTD: CodecCost(1.0, 1.2e-9)}
PACES = [
    Pace(1 / write + 1 / read, beside, work, workers)
    for write, read, beside, work, workers in itertools.product(
        [30e6, 100e6, 150e6, 300e6, 600e6, 1.2e9, 2.5e9],
        [50e6, 150e6, 400e6, 750e6, 3e9],
        [0.0, 1e-9, 4e-9],
        [1e-9, 2.3e-9, 6e-9],
        [1, 2, 4, 16],
    )
]


@pytest.mark.parametrize("costs", [TEXT, NOISE], ids=["text", "noise"])
@pytest.mark.parametrize("current", range(len(CODECS)), ids=CODECS)
def test_no_other_codec_is_clearly_better(costs: dict[int, CodecCost], current: int):
    """On disks and processors of all kinds the choice is within 3 % of the best."""
    for pace in PACES:
        chosen = best(costs, pace, current)
        assert 0.97 * seconds(costs[chosen], pace) <= min(seconds(cost, pace) for cost in costs.values())


@pytest.mark.parametrize("current", range(len(CODECS)), ids=CODECS)
def test_uncertain_figures_cost_little(current: int):
    """Each figure is off by up to 3 %: by the true ones the choice is within 10 % of the best."""
    chance = random.Random(current)

    def off(value: float) -> float:
        return value * chance.uniform(0.97, 1.03)

    for pace in PACES:
        seen = Pace(off(pace.disk), off(pace.beside), off(pace.work), pace.workers)
        costs = {codec: CodecCost(min(1.0, off(cost.stored)), off(cost.seconds)) for codec, cost in TEXT.items()}
        chosen = best(costs | {RAW: NOTHING_SAVED}, seen, current)
        assert seconds(TEXT[chosen], pace) <= 1.1 * min(seconds(cost, pace) for cost in TEXT.values())


def test_what_each_codec_is_for():
    """A fast disk beside one busy processor: raw; a slow one: zstd; between them lz4."""
    assert best(TEXT, Pace(1 / 2e9 + 1 / 2e9, 0, 2.3e-9, 1), ZSTD) == RAW
    assert best(TEXT, Pace(1 / 1.2e9 + 1 / 0.75e9, 2.2e-9, 2.3e-9, 2), ZSTD) == RAW
    assert best(TEXT, Pace(1 / 1.2e9 + 1 / 0.75e9, 2.2e-9, 2.3e-9, 8), RAW) == LZ4
    assert best(TEXT, Pace(2 / 100e6, 0, 2.3e-9, 2), RAW) == ZSTD
    assert best(NOISE, Pace(2 / 100e6, 0, 2.3e-9, 2), LZ4) == RAW


class Clock:
    """A disk and a processor that take the time that they are told to, and no other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.files = TemporaryFiles([str(folder)], MIB)
        self.busy = self.waited = 0.0
        monkeypatch.setattr(choice_module.time, "process_time", lambda: self.busy)
        monkeypatch.setattr(choice_module, "processor_time", lambda: (self.busy, self.waited))

    def spill(
        self, choice: Choice, size: int, rate: float, costs: dict[int, CodecCost], work: float = 2.3e-9, others: int = 0
    ) -> None:
        """Spill some bytes with what is chosen, a MiB at a time; `others` want each processor too."""
        for _ in range(size // MIB):
            cost = costs[choice.codec]
            meter, stored = self.files.written, int(cost.stored * MIB)
            meter._bytes, meter._seconds = meter._bytes + stored, meter._seconds + stored / rate
            busy = MIB * (work / 2 + cost.seconds)
            self.busy, self.waited = self.busy + busy, self.waited + others * busy
            choice.spent(choice.codec, MIB, lambda: Trial({LZ4: costs[LZ4], ZSTD: costs[ZSTD]}, 1 / rate))


def test_a_disk_that_becomes_slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A quota that bites only after a burst: raw at first, zstd soon afterwards, and raw again on a fast disk."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice("auto", clock.files, Surroundings(1, 0))
    clock.spill(choice, 512 * MIB, 2e9, TEXT)
    assert choice.codec == RAW
    clock.spill(choice, 512 * MIB, 50e6, TEXT)
    assert choice.codec == ZSTD
    assert choice.packed[RAW] < (512 + 256) * MIB
    clock.spill(choice, 1024 * MIB, 4e9, TEXT)
    assert choice.codec == RAW


@pytest.mark.parametrize(("rate", "codec"), [(2e9, RAW), (300e6, LZ4), (100e6, ZSTD)])
def test_a_steady_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: float, codec: int):
    """The choice is made after the first pieces and stays."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice("auto", clock.files, Surroundings(1 if rate > 1e9 else 2, 0))
    clock.spill(choice, 2048 * MIB, rate, TEXT)
    assert choice.codec == codec
    assert choice.packed[codec] >= 2048 * MIB - 16 * MIB
    assert choice.spilled == 2048 * MIB


@pytest.mark.parametrize("read", [0.0, 1.0])
def test_inputs_on_the_same_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: float):
    """While they are read the disk writes at half its speed: that is no reason to pack."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice("auto", clock.files, Surroundings(2, 0, read=read, written=read))
    clock.spill(choice, 1024 * MIB, 700e6 / (1 + read), TEXT)
    assert choice.codec == RAW
    assert choice.packed[RAW] == choice.spilled


def test_processors_that_others_want_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where each processor has five programs that want it, packing would take five times as long."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice("auto", clock.files, Surroundings(2, 0))
    clock.spill(choice, 512 * MIB, 300e6, TEXT, others=4)
    assert choice.codec == RAW
    clock.spill(choice, 1024 * MIB, 300e6, TEXT)
    assert choice.codec == LZ4


def test_text_that_begins_with_noise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Codecs are tried again now and then: what packs badly at first may pack well later."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice("auto", clock.files, Surroundings(2, 0))
    clock.spill(choice, 256 * MIB, 150e6, NOISE)
    assert choice.codec == RAW
    clock.spill(choice, 2048 * MIB, 150e6, TEXT)
    assert choice.codec != RAW


@pytest.mark.parametrize("spill", CODECS)
def test_what_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spill: str):
    """No disk changes it, and nothing is tried."""
    clock = Clock(monkeypatch, tmp_path)
    choice = Choice(spill, clock.files, Surroundings(2, 0))
    clock.spill(choice, 512 * MIB, 10e6, TEXT)
    assert choice.packed[CODECS.index(spill)] == choice.spilled == 512 * MIB
    assert clock.files.written.take()[0] > 0


def test_the_meter_counts_time_once(monkeypatch: pytest.MonkeyPatch):
    """Calls that overlap take the disk's time once, its idle time not at all, nor waiting for a processor."""
    now = waited = 0.0
    monkeypatch.setattr(choice_module.time, "perf_counter", lambda: now)
    monkeypatch.setattr(temporary, "thread_waited", lambda: waited)
    meter = Meter()
    with meter.passing(10):
        now = 1.0
        with meter.passing(20):
            now = 3.0
    now = 10.0
    with meter.passing(5):
        now = 11.0
        assert meter.take() == (30, 4.0)
        now = 12.0
    assert meter.take() == (5, 1.0)
    with meter.passing(5):
        now, waited = 20.0, 6.0
    assert meter.take() == (5, 2.0)


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the system counts no waiting")
def test_waiting_for_processors_is_counted():
    """Two programs want one processor: this one waits, and both figures say so."""
    before, kept = (processor_time(), thread_waited()), os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(kept)])
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        begin = time.perf_counter()
        while time.perf_counter() - begin < 0.5:
            pass
    finally:
        other.kill()
        other.wait()
        os.sched_setaffinity(0, kept)
    (ran, waited), mine = processor_time(), thread_waited()
    assert ran > before[0][0]
    assert waited - before[0][1] > 0.05
    assert mine - before[1] > 0.05
