"""The steps with volumes in the operating docs: their objects are valid and the chart's own, their commands render."""

import os
import re
import shlex
import subprocess
import unittest

from stack.stack import repository
from stack.tooling import tool

import helm
from helm import CHART, of_kind

import kubernetes_validate  # noqa: E402  (helm.py made it importable)

RELEASE = "tutti"


def section(title="Volumes on Kubernetes"):
    with open(os.path.join(repository(), "docs", "operate.md"), encoding="utf-8") as file:
        return re.search(rf"^### {title}\n(.*?)^##", file.read(), re.M | re.S)[1]


def manifests(text=None):
    """The text of each object that kubectl is handed, without its indent in the page."""
    found = re.findall(r"^( *)kubectl apply -f - <<'END'\n(.*?)^\1END\n", text or section(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def commands(*program):
    lines = section().replace("\\\n", " ").splitlines()
    words = [shlex.split(line) for line in lines if re.match(r" *(helm|kubectl) ", line) and "<<" not in line]
    return [each for each in words if tuple(each[:len(program)]) == program]


def release(*args):
    return helm.load(helm.helm("template", RELEASE, CHART, "--namespace", "shop", *args))


class BackupsTest(unittest.TestCase):
    def test_the_restoring_job_mounts_what_the_chart_makes_where_the_orchestrator_has_it(self):
        items = release("--set", "backup.enabled=true")
        (job,), = map(helm.load, manifests(section("Backups on Kubernetes")))
        kubernetes_validate.validate(job, "1.30", strict=True)
        spec = helm.pod_of(job)["spec"]
        server = helm.pod_of(of_kind(items, "StatefulSet")[RELEASE])["spec"]
        claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"]}
        self.assertEqual(claims, {"data": f"data-{RELEASE}-0", "backups": f"{RELEASE}-backup"})
        self.assertIn(claims["backups"], of_kind(items, "PersistentVolumeClaim"))
        mounted = {mount["name"]: mount["mountPath"] for mount in server["containers"][0]["volumeMounts"]}
        for mount in spec["containers"][0]["volumeMounts"]:
            self.assertEqual(mount["mountPath"], mounted[mount["name"]])
        for name, option in (("data", "--data-dir"), ("backups", "--restore-from")):
            self.assertIn(f"{option}={mounted[name]}", spec["containers"][0]["command"])
        self.assertIn(f"--backup-dir={mounted['backups']}", server["containers"][0]["args"])
        self.assertEqual({key: spec["securityContext"][key] for key in server["securityContext"] if key in
                          spec["securityContext"]}, spec["securityContext"])
        self.assertIn("create job --from=cronjob/tutti-backup", section("Backups on Kubernetes"))
        self.assertIn("tutti-backup", of_kind(items, "CronJob"))


class VolumesTest(unittest.TestCase):
    def setUp(self):
        self.sets = of_kind(release(), "StatefulSet")
        self.template = self.sets[RELEASE]["spec"]["volumeClaimTemplates"][0]

    def test_the_snapshot_is_of_the_chart_s_claim(self):
        snapshot, _ = map(helm.load, manifests())
        self.assertEqual(snapshot[0]["spec"]["source"]["persistentVolumeClaimName"], f"data-{RELEASE}-0")
        for text, status in ((manifests()[0], 0), (manifests()[0].replace("source:", "sauce:"), 1)):
            done = subprocess.run([tool("crd-check")], input=text, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout.strip()), (status, "1" if status == 0 else ""), done.stderr)

    def test_the_restored_claim_is_as_the_stateful_set_would_make_it(self):
        (snapshot,), (claim,) = map(helm.load, manifests())
        kubernetes_validate.validate(claim, "1.30", strict=True)
        self.assertEqual(claim["metadata"]["name"], f"data-{RELEASE}-0")
        self.assertEqual(claim["metadata"]["labels"], {**self.template["metadata"]["labels"],
                                                       **self.sets[RELEASE]["spec"]["selector"]["matchLabels"]})
        for field in ("accessModes", "resources"):
            self.assertEqual(claim["spec"][field], self.template["spec"][field])
        self.assertEqual(claim["spec"]["dataSource"]["name"], snapshot["metadata"]["name"])

    def test_helm_s_commands_render_what_they_are_for(self):
        stop, start, beside, anew = [of_kind(release(*words[4:]), "StatefulSet")[RELEASE]["spec"]
                                     for words in commands("helm", "upgrade") + commands("helm", "install")]
        self.assertEqual((stop["replicas"], start["replicas"]), (0, 1))
        self.assertEqual(stop["persistentVolumeClaimRetentionPolicy"], {"whenScaled": "Retain", "whenDeleted": "Retain"})
        self.assertIn({"name": "data", "persistentVolumeClaim": {"claimName": "tutti-restored"}},
                      beside["template"]["spec"]["volumes"])
        self.assertNotIn("volumeClaimTemplates", beside)
        (_, (claim,)) = map(helm.load, manifests())
        self.assertEqual(anew["volumeClaimTemplates"][0]["spec"]["dataSource"], claim["spec"]["dataSource"])

    def test_what_kubectl_is_told_to_look_at_is_there(self):
        told = " ".join(word for words in commands("kubectl") for word in words)
        for kind, name in re.findall(r"(statefulset|pvc|pod)[ /](tutti[-\w]*|data-[-\w]+)", told):
            known = {"statefulset": set(self.sets), "pod": {f"{each}-0" for each in self.sets},
                     "pvc": {f"data-{each}-0" for each in self.sets}}[kind]
            self.assertIn(name, known)
        self.assertGreaterEqual(len(commands("kubectl")), 8)


if __name__ == "__main__":
    unittest.main()
