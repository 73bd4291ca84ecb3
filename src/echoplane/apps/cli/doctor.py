"""``echoplane doctor``: versions, codecs, engines."""

from __future__ import annotations

import typer

from echoplane.apps.cli._common import EXIT_OK, EXIT_SOME_FAILED

_HELP = """Show versions, processor, codecs, engines and the default bundle, as text to paste into a report.

No file names, folders or names of people are in it. Exit code: 0 all that is needed is there; 1 something is missing.
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("doctor", help=_HELP, short_help="Show what is installed and whether it works.")
    def command() -> None:
        from echoplane.pipelines.doctor import examine

        findings = examine()
        width = max(len(finding.subject) for finding in findings) + 2
        topic = ""
        for finding in findings:
            if finding.topic != topic:
                topic = finding.topic
                print(topic)
            mark = {"missing": "!!", "optional": " -", "note": " -"}.get(finding.level, "  ")
            print(f"{mark} {finding.subject:<{width}}{finding.value}")
        missing = [finding.subject for finding in findings if finding.level == "missing"]
        print(f"\nMissing: {', '.join(missing)} (marked !!)." if missing else "\nAll that is needed is there.")
        raise typer.Exit(EXIT_SOME_FAILED if missing else EXIT_OK)
