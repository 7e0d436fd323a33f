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
    notifier = _notifier(config, say)
    heard = listeners(config.callbacks, running.record)
    running.listeners += heard
    try:
        yield notifier
        notifier.tell("finished", _end(running)) if running.over else None
    except Exception as error:
        notifier.tell("failed", f"the launch ended: {first_line(error)}")
        raise
    finally:
        for each in heard:
            if (wrong := each.close()) and each in running.listeners:
                say(f"warning: a callback failed ({wrong})")
        notifier.close()


def _notifier(config: StudyConfig, say: Callable[[str], object]) -> Notifier:
    if config.notify.urls:
        try:
            check_urls(config.notify.urls)
        except InputError as error:
            raise error.at("notify") from error
    return Notifier(config.study, config.notify.urls, config.notify.on, say)


def _end(running: RunningStudy) -> str:
    """Return what a study came to."""
    count, front = running.trials.count, running.trials.front
    told = f"{format_number_of('trial', len(running.trials))}, {count[State.COMPLETE]} fully trained, "
    told += f"{count[State.FAILED]} failed; {format_number_of('network', len(front))} on the Pareto front"
    return f"{told}: {', '.join(f'{name_of(each.architecture)} (trial {each.number})' for each in reversed(front))}"
