"""`medflow verify`."""

from __future__ import annotations

from dataclasses import asdict

import click

from medflow.cli.console import json_option, print_json, print_table, progress, site_of


@click.command()
@click.option("--engine", "build_engine", metavar="ENGINE", help="duckdb.")
@json_option
@click.pass_context
def verify(ctx: click.Context, build_engine: str | None, as_json: bool) -> int:
    """Count every table of the current release again by SQL of its own; exit 1 if anything disagrees."""
    from spark_jobs.reverify import verify_release

    with progress() as report:
        number, findings = verify_release(site_of(ctx, build_engine=build_engine), report)
    failed = [finding for finding in findings if finding.failed]
    if as_json:
        print_json({"release": number, "checks": [asdict(finding) for finding in findings], "failed": len(failed)})
    else:
        rows = [(f.layer, f.check, f.checked, f.failed) for f in findings]
        print_table(f"Release {number}", ("layer", "check", "rows checked", "disagree"), rows, right=(2, 3))
        click.echo(f"{len(findings)} checks, {len(failed)} disagree")
    return 1 if failed else 0
