"""A real Prometheus beside the stack: scrapes it every second, evaluates the chart's own rules, answers queries."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from stack.processes import StackError, tail, wait_until
from stack.stack import repository

SKIPPED = 77  # CTest's SKIP_RETURN_CODE for these tests
RULES = os.path.join(repository(), "charts", "tutti", "rules", "tutti-alerts.yaml")
DASHBOARDS = os.path.join(repository(), "charts", "tutti", "dashboards")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tutti", "bin")
SHORTER = 360
SHORTEST_SECONDS = 4  # a rate needs several scrapes
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def tool(name):
    """Path of a program that these tests cannot do without. Ends the test loudly when it is missing."""
    found = shutil.which(name) or shutil.which(name, path=CACHE)
    if found:
        return found
    print(f"LEFT OUT: this test needs {name}, which is neither in PATH nor in {CACHE} (tools/setup.sh --full installs it)",
          file=sys.stderr)
    sys.exit(1 if os.environ.get("TUTTI_FULL") == "1" else SKIPPED)


def dashboards():
    for name in sorted(os.listdir(DASHBOARDS)):
        with open(os.path.join(DASHBOARDS, name), encoding="utf-8") as file:
            yield name, json.load(file)


def queries(**values):
    """Dashboard, panel, query of every target, with Grafana's variables replaced; `values` on top of what holds for all."""
    known = {"$cluster": ".*", "$namespace": ".*", "$job": ".*", "$definition": ".*", "$step": ".*",
             "$__rate_interval": "5s", "$__range": "1h", **values}
    for name, dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expr = target["expr"]
                for variable, value in known.items():
                    expr = expr.replace(variable, value)
                if "$" in expr:
                    raise StackError(f"{name}: {panel['title']}: what is left of the variables in {expr}?")
                yield name, panel["title"], expr


def shortened(rules):
    """The rule file's text with its time divided, so that alerts fire and clear while somebody waits.

    Every `for:` but 0, every window in brackets and every offset is divided by SHORTER and is at least SHORTEST_SECONDS
    long; so are the thresholds that are an age, of tutti_sagas_oldest_in_flight_seconds and of the sweep. Subqueries look
    every second. All else, every other threshold included, stays.
    """
    def short(number, unit):
        return f"{max(SHORTEST_SECONDS, round(int(number) * UNIT_SECONDS[unit] / SHORTER))}s"

    rules = re.sub(r"\[(\d+)([smhd])\]", lambda found: f"[{short(*found.groups())}]", rules)
    rules = re.sub(r"\[(\d+)([smhd]):\d+[smhd]\]", lambda found: f"[{short(*found.groups())}:1s]", rules)
    rules = re.sub(r"\boffset (\d+)([smhd])\b", lambda found: f"offset {short(*found.groups())}", rules)
    rules = re.sub(r"^(\s+for: )([1-9]\d*)([smhd])$", lambda found: found[1] + short(*found.groups()[1:]), rules,
                   flags=re.M)
    return re.sub(r"((?:oldest_in_flight_seconds\{[^}]*\}\)|tutti_sweep_\w+\{[^}]*\}) > )(\d+)",
                  lambda found: f"{found[1]}{int(found[2]) / SHORTER}", rules)


class Prometheus:
    """with Prometheus(stack) as prometheus: … ; its data and its process are gone afterwards, with the stack's folder.

    `alertmanager`: address that alerts are sent to. `job`: process's name → its job; `labels`: what every series carries.
    """

    def __init__(self, stack, rules=None, alertmanager=None, job="tutti-{}".format, labels=None):
        self.stack = stack
        self.folder = os.path.join(stack.work_dir, "prometheus")
        self.log_path = os.path.join(stack.work_dir, "prometheus.log")
        self.rules = rules
        self.alertmanager = alertmanager
        self.job_of = job
        self.labels = labels or {}
        self.popen = None
        self.url = None
        self.began = None

    def __enter__(self):
        program = tool("prometheus")
        os.makedirs(self.folder)
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "scrape_configs": [self.job(name) for name in self.scraped()]}
        if self.rules:
            config["rule_files"] = [self.write("rules.yaml", self.rules)]
        if self.alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager]}]}]}
        path = self.write("prometheus.yaml", yaml.safe_dump(config))
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(
                [program, f"--config.file={path}", f"--storage.tsdb.path={self.folder}/data",
                 "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log, start_new_session=True)
        self.began = time.time()
        try:
            self.url = wait_until("Prometheus to listen", self.bound)
            wait_until("Prometheus to be ready", self.ready)
            wait_until("Prometheus to scrape everything",
                       lambda: len(self.query("up == 1")) == len(list(self.scraped())))
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGKILL)
            self.popen.wait()

    def scraped(self):
        return [name for name, process in self.stack.processes.items() if process.ports["metrics"]]

    def job(self, name):
        target = f"127.0.0.1:{self.stack.processes[name].ports['metrics']}"
        return {"job_name": self.job_of(name), "static_configs": [{"targets": [target], "labels": self.labels}]}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def bound(self):
        if self.popen.poll() is not None:
            raise StackError(f"Prometheus ended with status {self.popen.returncode}\n{tail(self.log_path)}")
        with open(self.log_path, encoding="utf-8") as file:
            found = re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', file.read())
        return found and f"http://{found[1]}"

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    def get(self, path, **fields):
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(fields)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise StackError(f"{path} {fields}: {error.read().decode()}") from error

    def query(self, expr):
        """[(labels, value)] at this moment."""
        return [(series["metric"], float(series["value"][1])) for series in self.get("query", query=expr)["result"]]

    def value(self, expr):
        """The sum of all series; 0 when there are none."""
        return sum(value for _, value in self.query(expr))

    def over_time(self, expr):
        """Every sample of every series that the query has yielded since the start, second by second."""
        result = self.get("query_range", query=expr, start=self.began, end=time.time(), step="1s")["result"]
        return [float(value) for series in result for _, value in series["values"]]

    def grown(self, metric, *labels):
        """Label values -> how far the counter has come since it was first seen, restarts of its process included."""
        totals = {}
        for series in self.get("query", query=f"{metric}[1h]")["result"]:
            samples = [float(value) for _, value in series["values"]]
            key = tuple(series["metric"].get(label, "") for label in labels)
            total = samples[0] + sum(after - before if after >= before else after
                                     for before, after in zip(samples, samples[1:]))
            totals[key] = totals.get(key, 0) + round(total)
        return {key: total for key, total in totals.items() if total}

    def await_scrape(self, job="tutti-orchestrator"):
        """Until what is true now has been scraped."""
        now = time.time()
        # Of `up` itself: of an expression over it, timestamp() would be the time of the query.
        wait_until(f"a scrape of {job}", lambda: self.value(f'up{{job="{job}"}}') == 1 and any(
            value > now for _, value in self.query(f'timestamp(up{{job="{job}"}})')))

    def firing(self):
        """Alert name -> the labels of those that fire."""
        found = {}
        for alert in self.get("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def annotations(self, name, labels):
        return next(alert["annotations"] for alert in self.get("alerts")["alerts"]
                    if alert["labels"]["alertname"] == name and labels.items() <= alert["labels"].items())
