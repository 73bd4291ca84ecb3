"""The command line as a user meets it: what it prints, where, and with which exit code."""

import json
import logging
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import echoplane
from echoplane.apps.cli import main as module
from echoplane.apps.cli._results import view_cell
from echoplane.apps.cli.main import main
from echoplane.records import Status, ViewResult


@pytest.fixture
def run(capsys):
    """Run the command line in this process; returns exit code, stdout, stderr."""

    def invoke(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    yield invoke
    log = logging.getLogger("echoplane")
    log.handlers[:], log.propagate = [], True
    log.setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def bundle(toy_bundle, tmp_path_factory):
    made = toy_bundle(slope=(0.0, 8.0, 0.0), shift=(3.0, 0.0, -2.0), notes=("A toy.",), licence="CC0-1.0")
    return made.save(tmp_path_factory.mktemp("bundle") / "toy.echoplane")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for name, level in (("bright", 220), ("dark", 30)):
        frame = np.full((24, 32), level, np.uint8)
        for n in range(8):
            cv2.imwrite(str(folder / f"{name}_{n}.png"), frame)
    return folder


def test_an_output_that_cannot_be_replaced_is_named_not_its_other_half(run, tmp_path, monkeypatch):
    def refuse(self, target):  # as Windows does where a spreadsheet has the file open
        raise PermissionError(13, "The process cannot access the file", str(self), 32, str(target))

    monkeypatch.setattr(type(tmp_path), "replace", refuse)
    code, _, err = run("phantom", "clip", "-o", tmp_path / "a.png", "--frames", "1")
    assert code == 2
    assert err == f"error: {tmp_path / 'a.png'}: The process cannot access the file.\n"


def test_json_is_plain_letters_for_pipes_that_hold_no_others(run, study, tmp_path):
    named = tmp_path / "Žofie é.png"
    named.write_bytes(next(study.iterdir()).read_bytes())
    _, out, _ = run("info", named, "--json", "--no-sector")
    assert out.isascii()
    assert json.loads(out)[0]["file"] == str(named)


def test_version_and_help(run):
    assert run("--version") == (0, f"echoplane {echoplane.__version__}\n", "")
    code, out, _ = run("--help")
    assert code == 0
    assert "Not a medical device" in " ".join(out.split())
    assert run("-h")[0] == 0
    code, out, err = run()
    assert code == 2
    assert "Usage: echoplane" in out + err


def test_a_folder_is_answered_with_a_table(run, study, bundle):
    code, out, err = run("predict", study, "--bundle", bundle)
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0][:5] == ["file", "view", "prob.", "votes", "note"]
    assert [(line[0], line[1]) for line in lines[2:]] == [("bright", "A4C"), ("dark", "A2C")]
    assert "2 files in" in err
    assert "2 ok" in err


def test_files_that_could_not_be_dealt_with_give_exit_code_one(run, study, bundle, tmp_path):
    (tmp_path / "empty.dcm").touch()
    code, out, _ = run("predict", study, tmp_path, "--bundle", bundle, "-o", tmp_path / "out" / "o.csv")
    assert code == 1
    assert "unreadable" in out
    assert (tmp_path / "out" / "o.csv").is_file()
    assert json.loads((tmp_path / "out" / "o.csv.manifest.json").read_text())["state"] == "finished"


def test_a_text_among_the_files_is_no_failure(run, bundle, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert run("predict", tmp_path, "--bundle", bundle)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "STUDY", "--bundle", "nowhere"], "there is no such bundle"),
        (["predict", "STUDY", "--bundle", "BUNDLE", "--precision", "f8"], "precision 'f8' is not known"),
        (["predict", "STUDY", "--bundle", "BUNDLE", "--engine", "abacus"], "engine 'abacus' is not known"),
        (["predict", "STUDY", "--bundle", "BUNDLE", "-o", "o.xlsx"], "the ending says the format"),
        (["predict", "STUDY", "--bundle", "BUNDLE", "--resume"], "name it with --output"),
        (["predict", "STUDY", "--jobs", "0"], "--jobs"),
        (["predict"], "Missing argument"),
        (["predict", "STUDY", "--colour"], "No such option"),
        (["forecast"], "No such command"),
        (["bundle", "inspect", "STUDY"], "holds no bundle.json"),
    ],
)
def test_wrong_usage_is_exit_code_two_and_a_sentence(run, study, bundle, arguments, message):
    words = {"STUDY": study, "BUNDLE": bundle}
    code, out, err = run(*(words.get(a, a) for a in arguments))
    assert code == 2
    assert out == ""
    assert message in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "{study}", "-o", ""],
        ["organize", "{study}", "--output", ""],
        ["prepare", "{study}", "--output="],
        ["prepare", "", "-o", "store"],
        ["bundle", "verify", ""],
    ],
)
def test_an_empty_path_is_not_the_folder_one_is_in(run, study, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*(a.format(study=study) for a in arguments))
    assert code == 2
    assert err == "error: a path is empty: name a file or a folder; '.' is the folder you are in.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["bundle", "here.csv"])
def test_an_output_that_cannot_be_written_is_a_sentence_naming_it(run, study, bundle, tmp_path, name):
    (tmp_path / "here.csv").mkdir()
    output = bundle / "o.csv" if name == "bundle" else tmp_path / name  # below a file; a folder
    code, out, err = run("predict", study, "--bundle", bundle, "--overwrite", "-o", output)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {bundle if name == 'bundle' else output}: ")
    assert len(err.splitlines()) == 1


def test_an_interrupt_is_exit_code_130_and_says_how_to_go_on(run, study, bundle, tmp_path, monkeypatch):
    from echoplane.apps.cli._results import Shown

    def interrupt(self, result):
        raise KeyboardInterrupt

    monkeypatch.setattr(Shown, "add", interrupt)
    code, _, err = run("predict", study, "--bundle", bundle, "-o", tmp_path / "o.csv")
    assert code == 130
    assert "Go on with --resume" in err


def test_a_computer_that_shuts_down_is_an_interrupt(run, study, bundle, tmp_path, monkeypatch):
    from echoplane.apps.cli._results import Shown

    monkeypatch.setattr(Shown, "add", lambda self, result: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        code, _, err = run("predict", study, "--bundle", bundle, "-o", tmp_path / "o.csv")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 130
    assert "Go on with --resume" in err
    assert '"interrupted"' in (tmp_path / "o.csv.manifest.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("becomes", [KeyboardInterrupt, ImportError])
def test_an_interrupt_while_libraries_are_imported_is_no_traceback(run, monkeypatch, number, becomes):
    def app(*_, **__):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise becomes from None

    monkeypatch.setattr(module, "build_app", lambda: app)
    usual = signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
    before = signal.signal(number, usual)
    try:
        assert run("views") == (130, "", "")
    finally:
        signal.signal(number, before)


def test_an_error_of_the_program_is_still_shown_whole(run, monkeypatch):
    monkeypatch.setattr(module, "build_app", lambda: lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("views")


def test_quiet_prints_nothing(run, study, bundle, tmp_path):
    assert run("predict", study, "--bundle", bundle, "-q", "-o", tmp_path / "o.jsonl") == (0, "", "")
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 2


def test_tracebacks_are_shown_only_when_asked_for(run, study, bundle, monkeypatch):
    from echoplane.inference import classifier

    def fail(*args, **more):
        raise ZeroDivisionError

    monkeypatch.setattr(classifier, "decide", fail)
    code, out, err = run("predict", study, "--bundle", bundle)
    assert code == 1
    assert "ZeroDivisionError" in out
    assert "Traceback" not in err
    _, _, err = run("-v", "predict", study, "--bundle", bundle)
    assert "Traceback" in err


def test_names_in_the_log_do_not_steer_the_terminal(run, bundle, tmp_path):
    (tmp_path / "a\x1b[31m.dcm").touch()
    _, _, err = run("-v", "predict", tmp_path / "a\x1b[31m.dcm", "--bundle", bundle)
    assert "Traceback" in err
    assert "\x1b[31m" not in err


def test_the_log_has_the_status_of_every_file(run, study, bundle, tmp_path):
    (tmp_path / "empty.dcm").touch()
    _, _, err = run("-v", "predict", study, tmp_path, "--bundle", bundle)
    assert f"{study / 'dark'}: ok\n" in err
    assert f"{tmp_path / 'empty.dcm'}: unreadable\n" in err


def test_a_log_is_of_this_process(run, study, bundle, monkeypatch):
    from echoplane.pipelines import predict as pipeline

    asked = []

    def predict(*args, processes, **more):
        asked.append(processes)
        return answer(*args, **more)

    answer = pipeline.predict
    monkeypatch.setattr(pipeline, "predict", predict)
    run("predict", study, "--bundle", bundle)
    run("-v", "predict", study, "--bundle", bundle)
    assert asked == [True, False]


def test_views(run, bundle):
    code, out, _ = run("views", "--json")
    rows = json.loads(out)
    assert code == 0
    assert next(r for r in rows if r["label"] == "A4C")["code"] == ["399214001", "SCT", "Apical four chamber"]
    assert [r["label"] for r in rows if r["main"]] == list(echoplane.views.MAIN_VIEWS)
    code, out, _ = run("views", "--bundle", bundle)
    assert "399214001" in out
    assert "known, as other" in out


def test_a_bundle_does_not_steer_the_terminal(run, toy_bundle, tmp_path):
    path = toy_bundle(notes=("\x1b]0;mine\x07\x1b[2Jhello",), licence="\x1b[31mred").save(tmp_path / "b.echoplane")
    for verb in ("inspect", "card"):
        code, out, _ = run("bundle", verb, path)
        assert code == 0
        assert "hello" in out
        assert "\x1b" not in out
        assert "\x07" not in out


def test_bundle_card_is_the_one_that_the_bundle_holds(run, bundle):
    code, out, _ = run("bundle", "card")
    assert code == 0
    assert out.startswith("# Weights `default`")
    assert "## Where it fails" in out
    assert "A toy." in run("bundle", "card", bundle)[1]  # it holds none: written from its facts


def test_bundle_inspect_verify_pack(run, bundle, tmp_path):
    code, out, _ = run("bundle", "inspect", bundle)
    assert code == 0
    assert "answers     A2C, A4C" in out
    assert "A toy." in out
    assert json.loads(run("bundle", "inspect", bundle, "--json")[1])["licence"] == "CC0-1.0"
    code, out, _ = run("bundle", "verify", bundle)
    assert (code, "1 members whole" in out or "1 member" in out) == (0, True)
    assert run("bundle", "pack", bundle, tmp_path / "folder")[0] == 0
    code, _, err = run("bundle", "pack", bundle, tmp_path / "folder")
    assert (code, "use --force" in err) == (2, True)
    with (tmp_path / "folder" / "model.onnx").open("r+b") as stream:
        stream.seek(10)
        stream.write(b"\xff")
    code, _, err = run("bundle", "verify", tmp_path / "folder")
    assert (code, "is damaged" in err) == (2, True)


def test_doctor_can_be_pasted(run, monkeypatch):
    from echoplane.pipelines import doctor

    monkeypatch.setattr(doctor, "_default_bundle", lambda: doctor.Finding("bundle", "default", "toy"))
    code, out, _ = run("doctor")
    assert code == 0
    assert "openvino" in out
    assert out.rstrip().endswith("All that is needed is there.")
    assert max(len(line) for line in out.splitlines()) < 120


def test_the_view_cell_never_offers_what_is_not_offered():
    def cell(status, view="", best=""):
        return view_cell(ViewResult("x", status, view=view, best_view=best))

    assert cell(Status.OK, "A4C", "A4C") == "A4C"
    assert cell(Status.UNSURE, best="A4C") == "unsure (A4C?)"
    assert cell(Status.OTHER, best="PLAX") == "other (PLAX)"
    assert cell(Status.OTHER, best="other") == "other"
    assert cell(Status.COLOR_DOPPLER) == "color doppler"


def test_help_imports_nothing_heavy():
    program = (
        "import sys; sys.argv = ['echoplane', '--help']\n"
        "from echoplane.apps.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'av', 'pydicom', 'openvino', 'torch', 'msgspec', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_verbs_are_registered_once():
    names = [verb.__name__ for verb in module.VERBS]
    assert len(names) == len(set(names))


def test_explain_does_not_write_over_the_cine(run, tmp_path):
    cine = tmp_path / "clip.gif"
    frames = [Image.fromarray(np.full((48, 64), 20 * i, np.uint8)) for i in range(6)]
    frames[0].save(cine, save_all=True, append_images=frames[1:], duration=40)
    before = cine.read_bytes()
    for more in ((), ("--overwrite",)):
        code, _, err = run("explain", cine, "-o", tmp_path / "." / "clip.gif", *more)
        assert (code, "is the cine itself, or a part of it" in err) == (2, True)
    assert cine.read_bytes() == before


def test_explain_replaces_nothing_unasked(run, tmp_path):
    kept = tmp_path / "why.html"
    kept.write_text("mine")
    for words in (("explain", "no-such.dcm"), ("explain", "--gallery", "no-such.dcm")):
        code, _, err = run(*words, "-o", kept)
        assert (code, "is there already; use --overwrite to replace it" in err) == (2, True)
        assert kept.read_text() == "mine"
        code, _, err = run(*words, "-o", kept, "--overwrite")
        assert "is there already" not in err


def test_names_that_the_output_cannot_spell_are_no_reason_to_stop(bundle, tmp_path):
    for n in range(4):
        cv2.imwrite(str(tmp_path / f"Łódź_{n}.png"), np.full((24, 32), 200 + n, np.uint8))
    words = [sys.executable, "-m", "echoplane", "predict", str(tmp_path), "--bundle", str(bundle), "--threads", "1"]
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert rb"\u0141" + "ó".encode("cp1252") + rb"d\u017a" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that closes streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_as_daemons_have_them(bundle, tmp_path, closed):
    for n in range(4):
        cv2.imwrite(str(tmp_path / f"a_{n}.png"), np.full((24, 32), 200 + n, np.uint8))
    words = [sys.executable, "-m", "echoplane", "predict", str(tmp_path), "--bundle", str(bundle), "--threads", "1"]
    out = tmp_path.parent / f"{tmp_path.name}.csv"
    shell = ["sh", "-c", f'exec "$0" "$@" {closed}']
    done = subprocess.run([*shell, *words, "-o", str(out)], capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2
    done = subprocess.run([*shell, *words, "-o", str(out)], capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False), done.stderr.decode()
