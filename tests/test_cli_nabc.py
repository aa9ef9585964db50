"""`corpus nabc` as a process: formats, streams, bad lines, signals, limits, memory."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import harness
import pytest

from corpustools.stages.nabc import nabc
from corpustools.stages.nabc.text import MAX_DIGITS

ROWS = {5: b"5\t2\t2\t1\t5\n", 7: b"7\t2\t3\t1\t6\n", 100: b"100\t10\t10\t0\t20\n"}
# Without a step limit this takes a quarter of an hour in Python's integers.
SLOW = b"%d\n" % (10**58 // 7)


def corpus(*arguments, stdin=b"", **environment):
    """Run the command; on failure of a test pytest shows what this returns."""
    return harness.run("nabc", *arguments, stdin=stdin, env=environment)


@pytest.fixture
def started():
    """Start the command with pipes; whatever is left of it is killed."""
    processes = []

    def start(*arguments, **streams):
        processes.append(harness.start("nabc", *arguments, **{"stdin": subprocess.PIPE, **streams}))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def test_arguments_are_answered_in_order():
    """One row for each argument, in their order, however the number is written."""
    result = corpus(100, 7, "+5", "007")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == ROWS[100] + ROWS[7] + ROWS[5] + ROWS[7]


def test_csv_and_jsonl_hold_the_same():
    """csv and jsonl have the same values under the same names."""
    numbers = [0, 5, 10**18 + 9, 10**40]
    stdin = b"".join(b"%d\n" % n for n in numbers)
    names = ["n", "a", "b", "c", "sum"]
    expected = [dict(zip(names, (n, *nabc(n), nabc(n).sum), strict=True)) for n in numbers]
    assert [json.loads(line) for line in corpus("-f", "jsonl", stdin=stdin).stdout.splitlines()] == expected
    table = csv.DictReader(io.StringIO(corpus("-f", "csv", stdin=stdin).stdout.decode()))
    assert [{key: int(value) for key, value in row.items()} for row in table] == expected


@pytest.mark.parametrize("arguments", [["-1"], ["--", "-1"], ["5", "-17"], ["--max-a", "-3", "5"]])
def test_a_negative_argument_is_called_negative(arguments):
    """A negative number is not taken for an option that does not exist."""
    result = corpus(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"is negative" in result.stderr
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["1e5"],
        ["5", "abc"],
        [""],
        ["1_000"],
        ["٣"],
        ["--range", "5"],
        ["--range", "5:3"],
        ["--range", "0:x"],
        ["--range", "1:2", "5"],
        ["--breakpoints", "5"],
        ["--breakpoints", "--all", "--range", "1:5"],
        ["--weights", "1,2", "5"],
        ["--weights", "1,0,1", "5"],
        ["--min-a", "5", "--max-a", "4", "5"],
        ["--max-steps", "x", "5"],
    ],
)
def test_usage_errors_say_what_is_accepted_and_write_nothing(arguments):
    """A wrong call is one line on standard error and status 2."""
    result = corpus(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"corpus: ")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    [b"-1", b"1e5", b"abc", b"\0", b"5 7", b"1.0", b"--", b"0x10", b"1_000", b"+-3", b"\xff", "٣".encode()],
)
@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_a_bad_line_is_one_error_with_its_number(line, kernels):
    """What stood before it has been answered, what follows is not read."""
    result = corpus(stdin=b"5\n\n 7\t\r\n" + line + b"\n100\n", CORPUS_KERNELS=kernels)
    assert (result.returncode, result.stdout) == (1, ROWS[5] + ROWS[7])
    assert b"standard input, line 4: '" in result.stderr
    assert result.stderr.count(b"\n") == 1
    assert result.stderr[:-1].decode().isprintable()


@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_a_mixed_stream(kernels):
    """Blank lines, blanks, signs, zeros, CRLF, both sides of 2^64, and no newline at the end."""
    numbers = [5, 7, 100, 2**64 - 1, 2**64, 2**64 + 1, 10**30, 12, 0]
    stdin = b"5\n\n  \t\n +7 \n00100\r\n%d\n%d\n%d\n%d\n00000000000000000000000000000000012\n0" % tuple(numbers[3:7])
    result = corpus(stdin=stdin, CORPUS_KERNELS=kernels)
    assert (result.returncode, result.stderr) == (0, b"")
    rows = [tuple(map(int, line.split())) for line in result.stdout.splitlines()]
    assert rows == [(n, *nabc(n), nabc(n).sum) for n in numbers]


def test_an_empty_stream_is_no_error():
    """No numbers give no rows; csv has its header all the same."""
    assert corpus().returncode == 0
    assert corpus("-f", "csv").stdout == b"n,a,b,c,sum\n"


def test_a_file_and_a_pipe_give_the_same(tmp_path):
    """Across the blocks of reading: 200,000 lines."""
    path = tmp_path / "numbers"
    path.write_bytes(b"".join(b"%d\n" % (n * 48271 % 2147483647) for n in range(200_000)))
    with path.open("rb") as file:
        from_file = corpus(stdin=file).stdout
    assert from_file == corpus(stdin=path.read_bytes()).stdout
    assert from_file.count(b"\n") == 200_000
    for line in from_file.splitlines()[::9973]:
        n, *rest = map(int, line.split())
        assert rest == [*nabc(n), nabc(n).sum]


def test_each_line_is_answered_before_the_next_is_sent(started):
    """A program may ask and read in turn."""
    process = started()
    for n in (5, 100, 7):
        process.stdin.write(b"%d\n" % n)
        process.stdin.flush()
        assert process.stdout.readline() == ROWS[n]
    process.stdin.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_long_search_holds_nothing_back_and_stops_at_a_signal(started, number):
    """Earlier answers are out, the wait is announced, and a signal ends it."""
    process = started()
    process.stdin.write(b"5\n" + SLOW + b"7\n")
    process.stdin.flush()
    assert process.stdout.readline() == ROWS[5]
    announced = process.stderr.readline()
    assert b"line 2: a number of 58 digits takes about" in announced
    process.send_signal(number)
    assert process.wait(20) == -number
    assert process.stdout.read() == process.stderr.read().strip() == b""


def test_quiet_leaves_out_the_announcement(started):
    """With -q a long search says nothing."""
    process = started("-q")
    process.stdin.write(b"5\n" + SLOW)
    process.stdin.flush()
    assert process.stdout.readline() == ROWS[5]
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    assert process.stdout.read() == process.stderr.read().strip() == b""


@pytest.mark.parametrize("arguments", [["--range", "0:100000000"], []])
def test_a_closed_pipe_is_silent(started, arguments, tmp_path):
    """When the reader has gone the process dies of SIGPIPE without a word."""
    endless = tmp_path / "numbers"
    endless.write_bytes(b"12345678\n" * 300_000)
    with endless.open("rb") as file:
        process = started(*arguments, stdin=file)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == -signal.SIGPIPE
    assert process.stderr.read() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["5"], ["--range", "0:100"]])
def test_a_full_disk_is_one_error(arguments):
    """Output that cannot be written is one line and status 1."""
    with open("/dev/full", "wb") as full:
        result = harness.run("nabc", *arguments, stdout=full)
    assert result.returncode == 1
    assert result.stderr == b"corpus: standard output: no space left on device\n"


def test_five_thousand_digits():
    """Beyond what Python converts by default: no end in sight is an error, an easy case has its answer."""
    hard, easy = b"1" * 5000, b"1" + b"0" * 4999 + b"3"
    result = corpus(stdin=b"5\n" + hard + b"\n7\n")
    assert (result.returncode, result.stdout) == (1, ROWS[5])
    assert b"standard input, line 2: a number of 5000 digits" in result.stderr
    assert b"max_steps" in result.stderr
    assert result.stderr.count(b"\n") == 1
    result = corpus(stdin=easy + b"\n7\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.endswith(b"\t3\t2" + b"0" * 2499 + b"3\n" + ROWS[7])
    assert corpus(easy.decode()).stdout + ROWS[7] == result.stdout


def test_more_digits_than_can_be_read_is_an_error():
    """A line without an end is refused before it fills the memory."""
    for stdin in (b"5\n" + b"9" * (MAX_DIGITS + 1) + b"\n", b"5\n" + b"\0" * 3_000_000):
        result = corpus(stdin=stdin)
        assert (result.returncode, result.stdout) == (1, ROWS[5])
        assert b"line 2: " in result.stderr
        assert len(result.stderr) < 300


def test_a_step_limit_gives_the_best_found_a_bound_and_status_3():
    """What is not proved minimal is written with a proved lower bound."""
    n = 1200000000719071635
    result = corpus("--max-steps", 100, n, 5)
    assert result.returncode == 3
    first, second = result.stdout.splitlines(keepends=True)
    _, a, b, c, total = map(int, first.split())
    assert second == ROWS[5]
    assert (a * b + c, a + b + c) == (n, total)
    note, closing = result.stderr.splitlines()
    assert b"argument 1: gave up at 100 steps" in note
    assert b"%d is the best found" % total in note
    lower = int(note.rsplit(b"at least ", 1)[1].split()[0])
    assert lower <= nabc(n).sum < total
    assert closing.startswith(b"corpus: 1 of 2 answers are not proved minimal")
    rows = [json.loads(x) for x in corpus("--max-steps", 100, "-f", "jsonl", n, 5).stdout.splitlines()]
    assert [row["lower"] for row in rows] == [lower, 5]
    assert corpus("--max-steps", 10000, n).returncode == 0


def test_every_minimiser_has_a_row():
    """--all writes each a, b, c of the least sum."""
    assert corpus("--all", 4, 52).stdout.splitlines() == [
        b"4\t2\t2\t0\t4",
        b"4\t0\t0\t4\t4",
        b"52\t4\t13\t0\t17" if nabc(52).a == 4 else b"52\t%d\t%d\t%d\t%d" % (*nabc(52), nabc(52).sum),
        *corpus("--all", 52).stdout.splitlines()[1:],
    ]


def test_shapes():
    """Bounds, weights and --pad give the minimum under them, or an error with the line's number."""
    assert corpus("--max-a", 64, 1000003).stdout == b"1000003\t64\t15625\t3\t15692\n"
    assert corpus("--max-c", 0, 1000003).stdout == b"1000003\t1\t1000003\t0\t1000004\n"
    assert corpus("--pad", 7).stdout == b"7\t2\t4\t1\t7\n"
    row = corpus("--weights", "2,3,1", "-f", "csv", 1000003).stdout.splitlines()
    assert row == [b"n,a,b,c,sum,cost", b"1000003,1250,800,3,2053,4903"]
    result = corpus("--min-a", 5, "--max-a", 6, "--max-c", 0, stdin=b"100\n101\n")
    assert (result.returncode, result.stdout) == (1, b"100\t5\t20\t0\t25\n")
    assert b"line 2: N = 101 has no a, b, c within the bounds" in result.stderr


@pytest.mark.parametrize("kernels", ["auto", "plain"])
@pytest.mark.parametrize("span", [(0, 3000), (10**12, 10**12 + 100), (2**62 - 20, 2**62 + 20), (7, 7)])
def test_a_range_is_its_numbers_one_by_one(span, kernels):
    """--range writes the rows that its numbers get as a stream."""
    by_range = corpus("--range", "{}:{}".format(*span), CORPUS_KERNELS=kernels)
    one_by_one = corpus(stdin=b"".join(b"%d\n" % n for n in range(*span)))
    assert (by_range.returncode, by_range.stderr) == (0, b"")
    assert by_range.stdout == one_by_one.stdout
    assert by_range.stdout.count(b"\n") == span[1] - span[0]


def test_a_range_takes_every_option_and_every_format():
    """Every option means the same for a range as for single numbers."""
    numbers = range(200, 300)
    span = "--range=200:300"
    for options in (["--pad"], ["--all"], ["--weights", "1,2,3"], ["-f", "jsonl"], ["-f", "csv"]):
        assert corpus(span, *options).stdout == corpus(*options, *numbers).stdout


@pytest.mark.parametrize("span", [(0, 5000), (10**12 + 3, 10**12 + 5000), (2**62 - 2000, 2**62 + 2000)])
def test_breakpoints_expand_to_the_range(span):
    """Between two breakpoints a and b stay, and c grows by one."""
    text = "{}:{}".format(*span)
    rows = [tuple(map(int, r.split())) for r in corpus("--range", text).stdout.splitlines()]
    points = [tuple(map(int, r.split())) for r in corpus("--range", text, "--breakpoints").stdout.splitlines()]
    expanded = []
    for point, following in zip(points, [*points[1:], (span[1],)], strict=True):
        n, a, b, c, total = point
        expanded += [(n + i, a, b, c + i, total + i) for i in range(following[0] - n)]
    assert expanded == rows
    assert len(points) < len(rows) / 2
    assert all(point[3] == 0 for point in points[1:])


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
def test_a_long_range_needs_little_memory():
    """20 million rows, 700 MB of text: the peak of the process stays under 256 MiB."""
    script = (
        "import sys\n"
        "from corpustools.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        "    status = open('/proc/self/status').read()\n"
        "    print(end.code, status.split('VmHWM:')[1].split()[0], file=sys.stderr)\n"
    )
    # Not getrusage: its maximum begins with the memory of the process that forked.
    result = subprocess.run(
        [sys.executable, "-c", script, "nabc", "--range", "0:20000000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    status, peak = map(int, result.stderr.split())
    assert status == 0
    assert peak < 256 * 1024


def test_one_number_loads_neither_numpy_nor_tqdm():
    """A single number is answered without the time that large modules take to load."""
    script = (
        "import sys\n"
        "from corpustools.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    print(sorted({'numpy', 'tqdm', 'sentencepiece', 'fractions', 'json'} & set(sys.modules)))\n"
    )
    for n in (100, 10**30):
        result = subprocess.run(
            [sys.executable, "-c", script, "nabc", str(n)], capture_output=True, check=True, timeout=60
        )
        assert result.stdout.splitlines()[1] == b"[]"
