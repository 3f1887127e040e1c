"""`medflow verify`."""

from __future__ import annotations

from dataclasses import asdict

import click

from medflow.cli.console import json_option, order_of, print_json, print_table, site_of


@click.command()
@click.option("--engine", "build_engine", metavar="ENGINE", help="Besides, build it all again with this engine and compare each row.")
@json_option
@click.pass_context
def verify(ctx: click.Context, build_engine: str | None, as_json: bool) -> int:
    """Count every table of the current release again by SQL of its own; exit 1 if anything disagrees."""
    from spark_jobs.reverify import recompute_release, verify_release

    site = site_of(ctx, build_engine=build_engine)
    with order_of(None, 0) as order:
        number, findings = verify_release(site, order.report)
        if build_engine:
            findings += recompute_release(site, order)
    failed = [finding for finding in findings if finding.failed]
    if as_json:
        print_json({"release": number, "checks": [asdict(finding) for finding in findings], "failed": len(failed)})
    else:
        rows = [(f.layer, f.check, f.checked, f.failed) for f in findings]
        print_table(f"Release {number}", ("layer", "check", "rows checked", "disagree"), rows, right=(2, 3))
        click.echo(f"{len(findings)} checks, {len(failed)} disagree")
    return 1 if failed else 0
