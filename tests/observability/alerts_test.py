"""The alert rules under promtool: valid, and each alert made to fire and kept from firing by made-up series.

Every case is played as it stands, and once more with all its series in several releases at the same time.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

import prometheus

# What is appended to the job, and where: two jobs in one namespace, two namespaces, two clusters.
RELEASES = (("", "north", "shop"), ("-b", "north", "shop"), ("", "north", "other"), ("", "south", "shop"))
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "alerts_promtool.yaml")


def alerts():
    with open(prometheus.RULES, encoding="utf-8") as file:
        return {rule["alert"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"] if "alert" in rule}


def untested():
    """Alerts that no case makes fire, or that no case keeps from firing."""
    with open(CASES, encoding="utf-8") as file:
        checks = [check for case in yaml.safe_load(file)["tests"] for check in case.get("alert_rule_test", ())]
    fired = {check["alertname"] for check in checks if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]}
    return sorted(alerts() - (fired & silent))


def in_release(release, labels):
    suffix, cluster, namespace = release
    return {**labels, "cluster": cluster, "namespace": namespace, "job": labels.get("job", "tutti") + suffix}


def series_in(release, series):
    name, inside = re.fullmatch(r"(\w+)\{(.*)\}", series).groups()
    labels = in_release(release, dict(re.findall(r'(\w+)="([^"]*)"', inside)))
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def alert_in(release, alert):
    labels = in_release(release, alert["exp_labels"])
    job = alert["exp_labels"].get("job")
    texts = {key: re.sub(rf"\b{re.escape(job)}(?= )", labels["job"], text) if job and key != "runbook_url" else text
             for key, text in alert["exp_annotations"].items()}
    return {"exp_labels": labels, "exp_annotations": texts}


def multiplied(cases):
    """The cases that are of one release, with every series and every alert in each of RELEASES."""
    for case in cases["tests"]:
        if "alert_rule_test" not in case or any("namespace=" in given["series"] for given in case["input_series"]):
            continue
        yield {
            "name": f"in {len(RELEASES)} releases: {case['name']}", "interval": case["interval"],
            "input_series": [{**given, "series": series_in(release, given["series"])}
                             for release in RELEASES for given in case["input_series"]],
            "alert_rule_test": [{**check, "exp_alerts": [alert_in(release, alert) for release in RELEASES
                                                         for alert in check["exp_alerts"]]}
                                for check in case["alert_rule_test"]],
        }


def write_multiplied(path):
    """What fires in them."""
    with open(CASES, encoding="utf-8") as file:
        cases = yaml.safe_load(file)
    tests = list(multiplied(cases))
    fired = {check["alertname"] for case in tests for check in case["alert_rule_test"] if check["exp_alerts"]}
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump({**cases, "tests": tests}, file)
    return fired


def main():
    promtool = prometheus.tool("promtool")
    if untested():
        print(f"no case for {untested()}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tutti-rules-") as folder:
        shutil.copy(prometheus.RULES, folder)  # rule_files are looked up beside the cases
        cases = shutil.copy(CASES, folder)
        shorter = os.path.join(folder, "shorter.yaml")
        with open(prometheus.RULES, encoding="utf-8") as rules, open(shorter, "w", encoding="utf-8") as file:
            file.write(prometheus.shortened(rules.read()))
        several = os.path.join(folder, "several.yaml")
        if alerts() - write_multiplied(several):
            print(f"no case in several releases for {sorted(alerts() - write_multiplied(several))}", file=sys.stderr)
            return 1
        for argv in (["check", "rules", prometheus.RULES, shorter], ["test", "rules", cases], ["test", "rules", several]):
            if subprocess.run([promtool, *argv], check=False).returncode != 0:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
