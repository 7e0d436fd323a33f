"""What a command is given, and what is read of what it says."""

import pytest

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from workers import command
from workers.command import Answer, Command, Request, last_line, missing, read_answer

DIGITS = ImageSpec(channels=1, height=8, width=8)


def test_a_command_is_split_into_words_and_no_value_is_split_again() -> None:
    given = Command(text="./on_pi.sh {onnx} --host 'my pi' id={digest}")
    assert given.forms == ("onnx", "digest")
    filled = given.filled({"onnx": "/a folder/model.onnx; rm x", "digest": "12ab"})
    assert filled == ["./on_pi.sh", "/a folder/model.onnx; rm x", "--host", "my pi", "id=12ab"]


def test_a_shell_is_used_where_it_is_asked_for_and_values_are_quoted_in_it() -> None:
    given = Command(text="wc -c < {onnx} | tail -1; echo {{}}", by_shell=True)
    text = "wc -c < '/a folder/$(x).onnx' | tail -1; echo {}"
    assert given.filled({"onnx": "/a folder/$(x).onnx"}) == ["/bin/sh", "-c", text]


def test_a_variable_that_is_looked_up_elsewhere_is_no_placeholder() -> None:
    assert Command(text="./on_pi.sh ${PI_HOST} {onnx}").forms == ("onnx",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("time '{onnx}", "cannot be split into words: no closing quotation"),
        ("time {onx}", "unknown placeholder 'onx' (did you mean 'onnx'?); known are onnx, torch_export, architecture,"),
        ("awk {print}", "unknown placeholder 'print'"),
        ("time {}", "unknown placeholder ''"),
        ("time {onnx!r}", "{onnx} stands alone"),
        ("time {onnx:>9}", "{onnx} stands alone"),
        ("time {onnx.__class__}", "unknown placeholder 'onnx.__class__'"),
        ("time {onnx", "a brace that stands for itself is written twice"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        Command(text=text).check()
    assert why in str(refused.value)


def test_what_hangs_on_a_device_is_in_the_key_and_how_patient_one_is_is_not() -> None:
    given = Command(text="time {onnx}", device="pi")
    assert given.key(DIGITS) == Command(text="time {onnx}", device="pi", limit_s=5, tries=1).key(DIGITS)
    others = [
        Command(text="time {onnx}"),
        Command(text="time  {onnx}", device="pi"),
        Command(text="time {onnx}", device="pi", by_shell=True),
    ]
    assert given.key(DIGITS) not in [each.key(DIGITS) for each in others]
    assert given.key(DIGITS) != given.key(ImageSpec(channels=1, height=8, width=8, classes=9))


def test_commands_without_a_device_do_not_wait_for_each_other() -> None:
    assert Command(text="a {onnx}").place != Command(text="b {onnx}").place
    assert Command(text="a {onnx}", device="pi").place == Command(text="b {onnx}", device="pi").place


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("3.1\n", Answer(value=3.1)),
        ("3", Answer(value=3.0)),
        ("1e3", Answer(value=1000.0)),
        ("0", Answer(value=0.0)),
        ('{"value": 3.1, "deviation": 0.2}', Answer(value=3.1, deviation=0.2)),
        ('{\n "value": 3.1\n}\n', Answer(value=3.1)),
        ("warming up\n\n 42 \n\n", Answer(value=42.0)),
        ('warming up\n{"value": 4, "runs": 100}', Answer(value=4.0)),
    ],
)
def test_an_answer_is_a_number_or_an_object_alone_or_as_the_last_line(said: str, answer: Answer) -> None:
    assert read_answer(said) == answer


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "its output is no number: nothing"),
        ("fast", "its output is no number: fast"),
        ("3,1", "its output is no number: 3,1"),
        ("3.1 ms", "its output is no number: 3.1 ms"),
        ("true", "its output is no number: true"),
        ("[3.1]", "its output is no number: [3.1]"),
        ('{"ms": 3.1}', "the value of its output is no number"),
        ('{"value": 3.1, "deviation": "0.2"}', "the deviation of its output is no number"),
        ("NaN", "its output is not finite: NaN"),
        ("1e999", "its output is not finite"),
        ("1" + "0" * 400, "its output is not finite"),
        ("-0.5", "its output is below 0: -0.5"),
        ('{"value": 1, "deviation": -1}', "the deviation of its output is below 0"),
        ("[" * 100_000, "its output is no number: [[["),
    ],
)
def test_whatever_else_is_said_is_no_answer(said: str, why: str) -> None:
    with pytest.raises(ValueError, match="output") as refused:
        read_answer(said)
    assert why in str(refused.value)
    assert len(str(refused.value)) < 300


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert last_line("first\n\x1b[31mred\x07\n\n") == "\\x1b[31mred\\x07"


def test_a_request_goes_through_a_line() -> None:
    asked = Request(
        command=Command(text="time {onnx}", tries=2),
        architecture=Architecture(block="resnext", cardinality=4),
        image=DIGITS,
    )
    assert "\n" not in asked.to_line()
    assert Request.of_line(asked.to_line()) == asked


def test_a_package_that_is_missing_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "onnxscript" else object())
    assert missing(("digest", "architecture", "torch_export")) == ""
    assert missing(("onnx",)) == "{onnx} needs onnxscript, which `pip install 'widefront[export]'` brings"
