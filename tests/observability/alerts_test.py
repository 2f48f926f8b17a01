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
HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [os.path.join(HERE, name) for name in ("alerts_promtool.yaml", "alerts_promtool_days.yaml")]


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def alerts():
    return {rule["alert"] for group in read(prometheus.RULES)["groups"] for rule in group["rules"] if "alert" in rule}


def untested():
    """Alerts that no case makes fire, or that no case keeps from firing."""
    checks = [check for path in CASES for case in read(path)["tests"] for check in case.get("alert_rule_test", ())]
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


def main():
    promtool = prometheus.tool("promtool")
    with tempfile.TemporaryDirectory(prefix="tutti-rules-") as folder:
        shutil.copy(prometheus.RULES, folder)  # rule_files are looked up beside the cases
        files, fired = [], set()
        for path in CASES:
            cases = read(path)
            several = {**cases, "tests": list(multiplied(cases))}
            fired |= {check["alertname"] for case in several["tests"] for check in case["alert_rule_test"]
                      if check["exp_alerts"]}
            for prefix, content in (("", cases), ("several_", several)):
                files.append(os.path.join(folder, prefix + os.path.basename(path)))
                with open(files[-1], "w", encoding="utf-8") as file:
                    yaml.safe_dump(content, file)
        if untested() or alerts() - fired:
            print(f"no case for {untested()}, none in several releases for {sorted(alerts() - fired)}", file=sys.stderr)
            return 1
        shorter = os.path.join(folder, "shorter.yaml")
        with open(prometheus.RULES, encoding="utf-8") as rules, open(shorter, "w", encoding="utf-8") as file:
            file.write(prometheus.shortened(rules.read()))
        for argv in (["check", "rules", prometheus.RULES, shorter], ["test", "rules", *files]):
            if subprocess.run([promtool, *argv], check=False).returncode != 0:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
