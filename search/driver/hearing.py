"""Let others hear of a launch: those the file's `callbacks` name, and people who are away, by `notify`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from search.callbacks.registry import listeners
from search.config.study import StudyConfig
from search.core.labels import name_of
from search.core.records import State
from search.core.units import format_number_of
from search.driver.notifying import Notifier, check_urls
from search.study.running import RunningStudy
from spaces.errors import InputError, first_line


@contextmanager
def hearing(config: StudyConfig, running: RunningStudy, say: Callable[[str], object]) -> Iterator[Notifier]:
    """Let everyone hear who is asked for in the file, and at the end wait a while until they have heard all.

    Args:
        config: of the study.
        running: the study that is about to run.
        say: told in one line what went wrong with any of them.

    Raises:
        InputError: one of them cannot begin.
    """
    notifier = Notifier(config.study, config.notify.urls, config.notify.on, say)
    told_before = running.over
    heard = listeners(config.callbacks, running.record)
    running.listeners += heard
    try:
        yield notifier
        notifier.tell("finished", _end(running)) if running.over and not told_before else None
    except Exception as error:
        notifier.tell("failed", f"the launch ended: {first_line(error)}")
        raise
    finally:
        for each in heard:
            if (wrong := each.close()) and each in running.listeners:
                say(f"warning: a callback failed ({wrong})")
        notifier.close()


def check_addresses(config: StudyConfig) -> None:
    """Refuse addresses that no word can be sent to.

    Raises:
        InputError: placed in the file; the address is no part of the message.
    """
    if config.notify.urls:
        try:
            check_urls(config.notify.urls)
        except InputError as error:
            raise error.at("notify") from error


def _end(running: RunningStudy) -> str:
    """Return what a study came to."""
    count, front = running.trials.count, running.trials.front
    told = f"{format_number_of('trial', len(running.trials))}, {count[State.COMPLETE]} fully trained, "
    told += f"{count[State.FAILED]} failed; {format_number_of('network', len(front))} on the Pareto front"
    return f"{told}: {', '.join(f'{name_of(each.architecture)} (trial {each.number})' for each in reversed(front))}"
