"""The kinds of failures that end a trial: whose fault each is, and what a person can do against it. No torch."""

from enum import Enum, StrEnum, auto


class Fault(Enum):
    """Whose fault a failure is, by which it is decided whether the trial is tried again."""

    NETWORK = auto()  # it would fail again
    MACHINE = auto()  # it says nothing of the network: the trial is tried again elsewhere
    EITHER = auto()  # workers are reused, so the trial before may have done it: a fresh process tells


class FailureKind(StrEnum):
    """Why a trial failed, as it stands in the database."""

    fault: Fault
    help: str  # half a sentence, where a person can do something

    def __new__(cls, name: str, fault: Fault, helps: str = "") -> "FailureKind":
        """Take the name that is stored, whose fault it is, and what helps."""
        made = str.__new__(cls, name)
        made._value_, made.fault, made.help = name, fault, helps
        return made

    OUT_OF_MEMORY = (
        "out-of-memory", Fault.NETWORK, "a smaller recipe.batch_size or a bound on training_bytes helps",
    )  # fmt: skip
    NOT_FINITE = "not-finite", Fault.NETWORK, "a smaller recipe.learning_rate helps"
    TIME_LIMIT = "time-limit", Fault.NETWORK, "resources.hours_per_trial can allow more"
    DATA = "data", Fault.NETWORK
    CRASH = "crash", Fault.NETWORK, "nas_trial.failure_details holds the traceback"
    LOST = "lost", Fault.MACHINE  # its worker died
    KILLED = "killed", Fault.MACHINE, "a smaller resources.concurrent_trials helps"  # for the machine's memory
    PREEMPTED = "preempted", Fault.MACHINE  # its node was taken away, as was announced: as often as it may be
    TOGETHER = "together", Fault.MACHINE  # others trained in its process: alone it tells whose fault it was
    DISK = "disk", Fault.MACHINE, "room where the checkpoints are helps"
    IO = "io", Fault.MACHINE, "the system's log may say more of the disk"
    CONNECTION = "connection", Fault.MACHINE
    NATIVE_CRASH = (  # a signal such as SIGSEGV
        "native-crash", Fault.EITHER, "recipe.memory_format: channels_first or recipe.precision: float32 may help",
    )  # fmt: skip
    HUNG = "hung", Fault.EITHER, "resources.silence_s can allow more"  # it gave no sign of life

    @classmethod
    def of(cls, name: str) -> "FailureKind":
        """Return the kind of a stored name; one that another version knew is a crash."""
        return next((kind for kind in cls if kind == name), cls.CRASH)

    @property
    def transient(self) -> bool:
        """Whether it says nothing of the network."""
        return self.fault is Fault.MACHINE

    @property
    def suspect(self) -> bool:
        """Whether only a fresh process can tell whose fault it was."""
        return self.fault is Fault.EITHER
