"""The chart, rendered by the real helm."""

import os
import re
import shutil
import subprocess
import tempfile

from stack.stack import repository
from stack.tooling import tool, use_packages

use_packages()
import yaml  # noqa: E402  (out of those packages)

CHART = os.path.join(repository(), "charts", "tutti")
RELEASE, NAMESPACE = "t", "shop"
HELM = tool("helm")
PODS_IN = {"StatefulSet", "Job", "CronJob"}


class Loader(yaml.SafeLoader):
    """Takes for a number what Kubernetes does: 1e3 and 0o17 are texts for Python's YAML alone."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$"), list("-+.0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?0o[0-7]+$"), list("-+0"))


def load(text):
    return [item for item in yaml.load_all(text, Loader=Loader) if item]


class HelmError(Exception):
    pass


def helm(*args):
    done = subprocess.run([HELM, *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def text_of(*args, chart=CHART):
    return helm("template", RELEASE, chart, "--namespace", NAMESPACE, *args)


def objects(*args, chart=CHART):
    return load(text_of(*args, chart=chart))


def of_kind(rendered, kind):
    return {item["metadata"]["name"]: item for item in rendered if item["kind"] == kind}


def pod_of(item):
    """Metadata and spec of the pod that it is or becomes."""
    if item["kind"] == "Pod":
        return item
    spec = item["spec"]
    return (spec["jobTemplate"]["spec"] if item["kind"] == "CronJob" else spec)["template"]


def pods(rendered):
    """Name → metadata and spec of everything that becomes a pod."""
    return {f'{item["kind"]}/{item["metadata"]["name"]}': pod_of(item)
            for item in rendered if item["kind"] in (*PODS_IN, "Pod")}


def notes(*args):
    """What an install prints. helm shows it only to a cluster, so a copy of the chart renders it as a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(CHART, os.path.join(folder, "tutti"))
        path = os.path.join(copy, "templates", "NOTES.txt")
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        os.remove(path)
        with open(os.path.join(copy, "templates", "notes.yaml"), "w", encoding="utf-8") as file:
            file.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata:\n  notes: |\n")
            file.writelines(f"    {line}\n" for line in lines)
        return of_kind(objects(*args, chart=copy), "ConfigMap")["notes"]["data"]["notes"]
