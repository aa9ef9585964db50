"""The `corpus` command: a group whose commands load when they are called, and the one place for errors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from corpustools.cli.report import say
from corpustools.cli.settings import job_option
from corpustools.errors import CorpusError, Incomplete, from_os
from corpustools.files import pipes

# name -> (module under corpustools.cli that holds `command`, one line of help). The line stands here and not
# in the module, so that `corpus --help` loads click and nothing heavier.
COMMANDS = {
    "shuffle": ("shuffle", "Put records in a uniformly random order, in the memory you give it."),
    "tokenize": ("tokenize", "Turn text into token ids: the best segmentation, or exact samples."),
    "detokenize": ("detokenize", "Turn token ids back into text."),
    "verify": ("verify", "Hold what was written against what went in."),
    "explain": ("explain", "Show a text's segmentations and tokens with exact probabilities."),
    "nabc": ("nabc", "Find the least a + b + c with N = ab + c."),
}


class Terminated(BaseException):
    """A signal arrived; raised in the main thread so that every clean-up runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _signals_past_click() -> Iterator[None]:
    """Keep a closed pipe and Ctrl-C from click, which answers them with status 1 and an empty line."""
    try:
        yield
    except BrokenPipeError:
        raise Terminated(signal.SIGPIPE) from None
    except KeyboardInterrupt:
        raise Terminated(signal.SIGINT) from None


class LazyGroup(click.Group):
    """A group that imports a command's file when that command is called."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the arguments."""
        with _signals_past_click():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _signals_past_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"corpustools.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the called command; a misspelt one is answered with the nearest name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command '{name}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    from corpustools import kernels

    states = kernels.in_use()
    which = ", ".join(f"{theme} {state}" for theme, state in states.items())
    click.echo(f"corpus {version('corpustools')} (Python {sys.version.split()[0]}; kernels: {which})")
    if "plain" in states.values():
        click.echo(
            "Some loops run on the slow Python twin: install a C compiler and install corpustools again.",
            err=True,
        )
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and which kernels are in use.",
)
@job_option
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback when something fails.")
def group() -> None:
    """Prepare text for language-model pretraining.

    The output depends on the seed and the input alone. Each command reads standard input and writes standard output
    unless told otherwise, so commands can be joined by pipes.

    Exit status: 0 done, 1 data or system error, 2 usage, 3 done but not all that was asked.
    """


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _die_by(number: int) -> NoReturn:
    """End the process by the signal itself, so that the shell sees 128 + its number."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def _discard_standard_output() -> None:
    # The interpreter flushes stdout on its way out and would complain about the closed pipe.
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.close(sink)


def _fail(text: str, code: int) -> NoReturn:
    say(f"corpus: {_one_line(text)}")
    sys.exit(code)


def _one_line(text: str) -> str:
    """Return a message whose file names cannot break its line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _usage_text(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    name = context.command_path.removeprefix("corpus ") + ": " if context and context.parent else ""
    message = error.format_message().rstrip(".")
    text = name + message[:1].lower() + message[1:]
    return f"{text}; see '{context.command_path} --help'" if context else text


def _close_missing_descriptors() -> None:
    """Give descriptors 0–2 a target, so that a file opened later never becomes the standard output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Write-only on /dev/null for 0 and read-only for 1, 2: using it fails, as on a closed descriptor.
            os.open(os.devnull, os.O_WRONLY if number == 0 else os.O_RDONLY)


def main(marked: bool = False) -> NoReturn:
    """Run `corpus` on the process's arguments and exit with the contract's status.

    Args:
        marked: standard output is a pipe that bears the mark of this process, which has not finished.
    """
    _close_missing_descriptors()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise_terminated)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    debug = "--debug" in sys.argv[1:]
    try:
        code = group.main(prog_name="corpus", standalone_mode=False, auto_envvar_prefix="CORPUS")
        if sys.stdout is not None:  # None where the process was started without it
            sys.stdout.flush()
        if marked:
            pipes.mark_finished(1)
        sys.exit(code if isinstance(code, int) else 0)
    except Terminated as stop:
        _die_by(stop.number)
    except (KeyboardInterrupt, click.Abort):
        _die_by(signal.SIGINT)
    except BrokenPipeError:
        _discard_standard_output()
        _die_by(signal.SIGPIPE)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, click.ClickException):
            _fail(_usage_text(error), error.exit_code)
        if isinstance(error, CorpusError):
            if marked and isinstance(error, Incomplete):
                pipes.mark_finished(1)  # all is written that there is
            _fail(str(error), error.exit_code)
        if isinstance(error, OSError):
            _fail(str(from_os(error, error.filename or "the system refused")), 1)
        if isinstance(error, MemoryError):
            _fail("out of memory; free some, or give shuffle a smaller --memory", 1)
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            _fail("the system gives no more threads; use fewer workers, or raise the limit on processes", 1)
        _fail(f"internal error: {type(error).__name__}: {error}; run again with --debug and report it", 1)
