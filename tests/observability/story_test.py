"""docs/operators-story.md, played on the real stack: its commands are run as they stand there, in their order.

What the page shows as output must come: every word without a digit in it, line by line. Between the commands the test
does what the page says happens: the service refuses, the alert fires, the dashboard shows it, the service is mended, the
alert clears.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import yaml

import prometheus
from prometheus import Prometheus
from stack.processes import StackError, wait_until
from stack.stack import Stack, repository
from troubles import CONCERT, Troubles

STORY = os.path.join(repository(), "docs", "operators-story.md")
RUNBOOKS = os.path.join(repository(), "docs", "runbooks")
CHART = os.path.join(repository(), "charts", "tutti")
EXPIRE = "tutti.token.v1.TokenService/ExpireToken"
ALERT = {"definition": "book-ticket", "step": "expire-token", "cause": "refused"}
USAGE_ERROR = 2


class Page:
    def __init__(self):
        with open(STORY, encoding="utf-8") as file:
            self.text = file.read()
        self.scenes = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", self.text, re.M | re.S))

    def blocks(self, scene, language):
        return re.findall(rf"```{language}\n(.*?)```", self.scenes[scene], re.S)

    def commands(self, scene):
        """(command, the lines of output shown)."""
        found = []
        for block in self.blocks(scene, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    found.append((line[2:], []))
                else:
                    found[-1][1].append(line)
        return found


class Terminal:
    def __init__(self, stack):
        self.binary = stack.binary("tuttictl")
        self.environment = {**os.environ, "TUTTI_ADDRESS": stack.processes["orchestrator"].address, "USER": "olga"}

    def run(self, command):
        program, *args = shlex.split(command)
        if program != "tuttictl":
            raise StackError(f"not a command for this test: {command}")
        return subprocess.run([self.binary, *args], env=self.environment, capture_output=True, text=True, check=False,
                              timeout=60)

    def play(self, commands):
        for command, shown in commands:
            done = self.run(command)
            print(f"$ {command}\n{done.stdout}{done.stderr}", end="", flush=True)
            if done.returncode != 0:
                raise StackError(f"{command} ended with {done.returncode}: {done.stderr}")
            lines = [line.split() for line in (done.stdout + done.stderr).splitlines()]
            for wanted in shown:
                words = [word for word in wanted.split() if not any(c.isdigit() for c in word)]
                if not any(all(word in line for word in words) for line in lines):
                    raise StackError(f"{command}: the page promises a line with {words}")


def install(page):
    """The values render, and bring the alerts, the dashboards and the scraping with them."""
    helm = prometheus.tool("helm")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
        values.write("".join(page.blocks("Install", "yaml")))
        values.flush()
        rendered = subprocess.run([helm, "template", "tutti", CHART, "-f", values.name], capture_output=True, text=True,
                                  check=False)
    if rendered.returncode != 0:
        raise StackError(f"helm template: {rendered.stderr}")
    objects = [made for made in yaml.safe_load_all(rendered.stdout) if made]
    kinds = [made["kind"] for made in objects]
    for kind in ("StatefulSet", "ServiceMonitor", "PrometheusRule"):
        if kind not in kinds:
            raise StackError(f"the story's values make no {kind}, only {sorted(set(kinds))}")
    boards = [made for made in objects if made["kind"] == "ConfigMap" and
              (made["metadata"].get("labels") or {}).get("grafana_dashboard") == "1"]
    alerts = {rule["alert"] for made in objects if made["kind"] == "PrometheusRule"
              for group in made["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    with open(prometheus.RULES, encoding="utf-8") as file:
        shipped = set(re.findall(r"alert: (\w+)", file.read()))
    if len(boards) != 3 or alerts != shipped:
        raise StackError(f"{len(boards)} dashboards, alerts missing: {shipped - alerts}")


def panel_query(page):
    """The query of the page is the dashboard's own."""
    shown = " ".join("".join(page.blocks("See", "promql")).split())
    known = [expr for _, title, expr in prometheus.queries() if title == "Parked steps"]
    if re.sub(r"\$\w+", ".*", shown) not in known:
        raise StackError(f"the page's query is not the one of the panel: {known}")
    return known[0]


def runbook_commands():
    """Every tuttictl line and every `tuttictl …` in the text of the runbooks."""
    for name in sorted(os.listdir(RUNBOOKS)):
        with open(os.path.join(RUNBOOKS, name), encoding="utf-8") as file:
            text = file.read()
        found = re.findall(r"^    (tuttictl .*)$", text, re.M) + re.findall(r"`(tuttictl\s[^`]*)`", text)
        for command in found:
            yield name, " ".join(command.split())


def check_runbooks(terminal):
    """They are commands that exist, with options that exist; what they would do is for the saga named to say."""
    with tempfile.TemporaryDirectory(prefix="tutti-runbooks-") as folder:
        definition = shutil.copy(os.path.join(repository(), "participants", "sagas", "book-ticket.yaml"), folder)
        for page, command in runbook_commands():
            done = terminal.run(command.replace("FILE", definition).replace("NAME", "book-ticket"))
            if done.returncode == USAGE_ERROR:
                raise StackError(f"{page}: {command}: {done.stderr}")


def firing(prometheus_):
    return [labels for labels in prometheus_.firing().get("TuttiStepParked", ()) if ALERT.items() <= labels.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    args = parser.parse_args()
    prometheus.tool("prometheus")
    page = Page()
    install(page)
    with open(prometheus.RULES, encoding="utf-8") as file:
        rules = prometheus.shortened(file.read())
    with Stack(args.build_dir) as stack, Prometheus(stack, rules) as prometheus_:
        troubles, terminal = Troubles(stack), Terminal(stack)
        troubles.world.customer("ada", 1000, CONCERT, 1)
        troubles.fault("token", EXPIRE, "REFUSE", code=9, message="token store is read-only")
        terminal.play(page.commands("A saga does not end"))
        wait_until("the alert", lambda: firing(prometheus_), 60, every=0.5)
        if not prometheus_.query(panel_query(page)):
            raise StackError("the panel shows nothing")
        terminal.play(page.commands("See"))
        terminal.play(page.commands("Find the cause"))
        troubles.heal("token")
        terminal.play(page.commands("Repair"))
        terminal.play(page.commands("All clear"))
        wait_until("the alert to clear", lambda: not firing(prometheus_), 60, every=0.5)
        if prometheus_.query(panel_query(page)):
            raise StackError("the panel still shows a parked step")
        check_runbooks(terminal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
