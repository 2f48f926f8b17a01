"""The alert rules under promtool: valid, and each alert made to fire and kept from firing by made-up series."""

import os
import shutil
import subprocess
import sys
import tempfile

import yaml

import prometheus

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "alerts_promtool.yaml")


def untested():
    """Alerts that no case makes fire, or that no case keeps from firing."""
    with open(prometheus.RULES, encoding="utf-8") as file:
        alerts = {rule["alert"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"] if "alert" in rule}
    with open(CASES, encoding="utf-8") as file:
        checks = [check for case in yaml.safe_load(file)["tests"] for check in case.get("alert_rule_test", ())]
    fired = {check["alertname"] for check in checks if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]}
    return sorted(alerts - (fired & silent))


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
        for argv in (["check", "rules", prometheus.RULES, shorter], ["test", "rules", cases]):
            if subprocess.run([promtool, *argv], check=False).returncode != 0:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
