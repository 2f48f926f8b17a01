#!/usr/bin/python3
"""Writes the Grafana dashboards of the chart, charts/tutti/dashboards/*.json, from tools/grafana/."""

import argparse
import json
import os
import sys

from grafana import engine, saga_progress, steps

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "charts", "tutti", "dashboards")


def rendered():
    """File name -> text."""
    made = [module.build() for module in (saga_progress, steps, engine)]
    return {f"{dashboard['uid']}.json": json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n" for dashboard in made}


def stale():
    """Names of files that are missing, differ, or are nobody's."""
    wanted = rendered()
    found = {}
    for name in os.listdir(FOLDER) if os.path.isdir(FOLDER) else []:
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            found[name] = file.read()
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not as it would be written")
    if parser.parse_args().check:
        for name in stale():
            print(f"charts/tutti/dashboards/{name} is stale; run tools/dashboards.py", file=sys.stderr)
        return 1 if stale() else 0
    os.makedirs(FOLDER, exist_ok=True)
    for name, text in rendered().items():
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
