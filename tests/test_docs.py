"""What the pages say is there and works: names, links, commands, and every Python block."""

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer
from pydicom import examples

from echoplane.apps.cli.main import build_app
from echoplane.models.bundle import Bundle

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *ROOT.glob("docs/**/*.md"),
]
CARD = ROOT / "src/echoplane/weights/default/MODEL_CARD.md"
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def test_names_on_the_design_page_are_in_the_code():
    table = [line for line in (ROOT / "docs/design.md").read_text().splitlines() if line.startswith("| `")]
    named = set()
    for dotted in re.findall(r"`((?:[a-z_0-9]+\.)+\w+)", "\n".join(table)):
        place: object = importlib.import_module("echoplane")
        for part in dotted.split("."):
            if isinstance(place, ModuleType) and not hasattr(place, part):
                importlib.import_module(f"{place.__name__}.{part}")
            place = getattr(place, part)
        named.add(dotted.split(".")[0])
    rooms = {path.name for path in (ROOT / "src/echoplane").iterdir() if (path / "__init__.py").is_file()}
    assert rooms - {"weights"} <= named


@pytest.mark.parametrize("page", [*PAGES, CARD], ids=[*IDS, "card"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_nothing_waits_to_be_filled_in(page):
    """A line that is one word in capitals is where a figure was to go."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"^[A-Z]{4,}$|\bTODO\b|\bFIXME\b", text, re.MULTILINE)


def _commands() -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command, path):
        found[path] = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))

    walk(typer.main.get_command(build_app()), ())
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_on_the_pages_exist_with_their_options(page):
    commands = _commands()
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^(?:    )?(?:\$ )?(?:\.venv/bin/)?echoplane ([a-z].*)$", text, re.MULTILINE)
    for line in lines + re.findall(r"`echoplane ([a-z][^`]*)`", text):
        words = re.split(r"\s{2,}#|\s{3,}|\s#", line)[0].split()
        path: tuple[str, ...] = ()
        while words and (*path, words[0]) in commands:
            path = (*path, words.pop(0))
        assert path, f"echoplane {line}: no such command"
        for option in (word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)):
            assert option in commands[path], f"echoplane {line}: no option {option}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_shell_takes_a_word_of_a_command_for_a_pattern(page):
    """zsh, the shell of macOS, ends a command with an unquoted [, * or ? that matches no file."""
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^ *(?:[\w./]*/)?((?:echoplane|pip|python) [-a-z].*)$", text, re.MULTILINE):
        words = re.split(r"\s{2,}|\s#", re.sub(r"\"[^\"]*\"|'[^']*'", "", line))[0]
        assert words.startswith(("echoplane [OPTIONS]", "echoplane -")) or not re.search(r"[\[\]*?]", words), line


@pytest.fixture
def beside_a_clip(tmp_path, monkeypatch):
    clip = Path(examples.get_path("ybr_color")).read_bytes()
    (tmp_path / "study").mkdir()
    for name, content in (("clip.dcm", clip), ("study/a.dcm", clip), ("study/cut.dcm", clip[:400])):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "study/notes.txt").write_text("hello")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_blocks_run(beside_a_clip):
    page = ROOT / "docs/python.md"
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert {str(status) for status in names["run"].counts} > {"unreadable", "not_image"}
    assert names["clips"].ndim == 4
    assert (beside_a_clip / "views.csv.manifest.json").is_file()


def test_the_example_of_the_readme_runs(beside_a_clip):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"## In Python\n\n((?:    .*\n)+)", text)
    names: dict[str, object] = {}
    exec(compile(re.sub(r"^    ", "", example[1], flags=re.MULTILINE), "README.md", "exec"), names)
    assert names["result"].best_view


def _row(page: str, first: str) -> list[str]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {first} |"))
    return [cell.strip().strip("*").split("<br>")[0].strip("*") for cell in line.strip("| ").split("|")]


def test_figures_that_the_evaluation_page_repeats_are_those_of_their_tables():
    """The tables are written by benchmarks, the sentences by hand."""
    text = " ".join((ROOT / "docs/evaluation.md").read_text(encoding="utf-8").split())
    kept = "docs/calibration-kept.md"
    chance = (ROOT / kept).read_text(encoding="utf-8").split("ECE, vector")[0].split("ECE by chance |")[1].split("|")[1]
    assert f"an ECE of {_row(kept, 'ECE, temperature')[2]} ({chance.strip()} is what chance gives" in text
    held = [_row(kept, f"sets for {level}% hold the true view")[2].removesuffix(" %") for level in (90, 95, 99)]
    assert f"hold the true view {held[0]}, {held[1]} and {held[2]} times in 100" in text
    _, _, _, energy, answers, *_, nearest = _row("docs/ood-scores.md", "mean of the rows")
    assert f"it is {answers} in the mean over seven kinds of cines, the energy of all logits {energy}" in text
    assert f"the nearest neighbour {nearest}" in text


def test_figures_on_the_first_page_are_those_of_the_card():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    card = "src/echoplane/weights/default/MODEL_CARD.md"
    page = (ROOT / card).read_text(encoding="utf-8")
    left_out = page.split("## Real development clips")[1]
    value = {
        name: float(re.search(rf"^\| {re.escape(name)} \| ([\d.]+) %", left_out, re.MULTILINE)[1])
        for name in ("recall A4C", "not `unsure`", "right of these")
    }
    assert f"{value['recall A4C']:.0f} % of A4C" in text
    assert (
        f"an answer was offered ({value['not `unsure`']:.0f} %), it was right {value['right of these']:.0f} times"
        in text
    )
    # The shipped mean has seen the clips: the figures are not its own, and the page says whose.
    assert "is of the single networks, not of their mean" in " ".join(page.split())
    assert f"{re.search(r'the mean of [0-9]+ networks', page)[0]} and have seen all of these clips" in text
    assert "what follows is of single networks" in text.split("All 48 A2C")[0]
    phantoms = re.search(r"echoplane phantom \| Apache-2.0 \| training \| (\d+)", page)[1]
    assert f"{int(phantoms):,} phantom cines" in text


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name != "decisions"], ids=lambda p: p.name)
def test_pages_measured_with_the_default_weights_name_those_that_ship(page):
    """A hash of earlier weights may stand there too, where the page says what it has to do with these."""
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^.*\bbundle `?default`? \(?[0-9a-f]{12}\b.*$", text, re.MULTILINE | re.IGNORECASE):
        assert Bundle.load().hash[:12] in line, line


@pytest.mark.parametrize("folder", ["benchmarks", "tools"])
def test_every_option_of_a_script_is_explained(folder):
    silent = [
        f"{path.relative_to(ROOT)}: {call.args[0].value}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", "") == "add_argument"
        and isinstance(call.args[0], ast.Constant)
        and not {k.arg for k in call.keywords} & {"help"}
    ]
    assert not silent
