"""The chart's life in a real API server: what it takes, what its controllers make of it, and the ways back.

`tools/dev.sh cluster` runs it. Nothing of a container runs here: tests/chart/run_test.py runs the command lines.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from cluster import UNPULLABLE, Cluster  # noqa: E402
from helm import CHART, HELM, HelmError, yaml  # noqa: E402
from stack.stack import repository  # noqa: E402

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
NUMERIC = "1234"
BAD_IMAGE = ["--set", f"image.tag={UNPULLABLE[1:]}"]


class ClusterTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster())

    def helm(self, *args, namespace, expect=0):
        done = subprocess.run([HELM, "--kubeconfig", self.cluster.kubeconfig, "--namespace", namespace, *args],
                              capture_output=True, text=True, check=False, timeout=300)
        said = done.stdout + done.stderr
        if (done.returncode == 0) != (expect == 0):
            raise HelmError(f"helm {' '.join(args)}: {said}")
        # What would be refused tomorrow is said today: Pod Security, old API versions, unknown fields.
        self.assertNotIn("Warning:", said)
        return said

    def named(self, kind, namespace, group="/api/v1"):
        return sorted(item["metadata"]["name"] for item in self.cluster.items(f"{group}/namespaces/{namespace}/{kind}"))

    def pods(self, namespace):
        """Name → its uid and whether it is ready."""
        return {pod["metadata"]["name"]: (pod["metadata"]["uid"], any(
            condition["type"] == "Ready" and condition["status"] == "True" for condition in pod["status"]["conditions"]))
                for pod in self.cluster.items(f"/api/v1/namespaces/{namespace}/pods")}

    def namespace(self, name):
        self.cluster.namespace(name, **RESTRICTED)
        self.addCleanup(self.cluster.ask, "DELETE", f"/api/v1/namespaces/{name}")
        return name

    def test_a_release_from_its_install_to_its_end(self):
        """In a namespace whose name looks like a number, under the strictest Pod Security."""
        namespace = self.namespace(NUMERIC)
        self.helm("install", "t", CHART, "--wait", "--timeout", "60s", namespace=namespace)
        first = self.pods(namespace)
        self.assertEqual(sorted(first), ["t-tutti-0", "t-tutti-payment-0", "t-tutti-reservation-0", "t-tutti-token-0"])
        self.assertTrue(all(ready for _, ready in first.values()))
        self.assertEqual(self.named("jobs", namespace, "/apis/batch/v1"), [], "the hook's job is done and gone")
        self.helm("test", "t", "--timeout", "60s", namespace=namespace)
        self.assertEqual(sorted(self.pods(namespace)), sorted(first), "the test's pod is gone")

        self.helm("upgrade", "t", CHART, "--wait", "--timeout", "60s", "--set", "logLevel=debug",
                  "--set", "orchestrator.resources.limits.memory=3Gi", namespace=namespace)
        second = self.pods(namespace)
        self.assertNotEqual(second["t-tutti-0"], first["t-tutti-0"])

        self.helm("uninstall", "t", "--wait", "--timeout", "60s", namespace=namespace)
        self.cluster.wait("the pods to go", lambda: not self.pods(namespace))
        for kind, group in (("services", "/api/v1"), ("configmaps", "/api/v1"), ("statefulsets", "/apis/apps/v1"),
                            ("poddisruptionbudgets", "/apis/policy/v1"),
                            ("networkpolicies", "/apis/networking.k8s.io/v1")):
            left = [name for name in self.named(kind, namespace, group) if name != "kube-root-ca.crt"]
            self.assertEqual(left, [], kind)
        self.assertEqual(self.named("persistentvolumeclaims", namespace), [f"data-{pod}" for pod in sorted(first)],
                         "the books stay")

    def test_a_bad_image_is_rolled_back(self):
        namespace = self.namespace("rollback")
        self.helm("install", "t", CHART, "--wait", "--timeout", "60s", namespace=namespace)
        good = self.pods(namespace)
        self.helm("upgrade", "t", CHART, "--wait", "--timeout", "10s", *BAD_IMAGE, namespace=namespace, expect=1)
        bad = self.pods(namespace)
        self.assertEqual(sorted(bad), sorted(good))
        self.assertFalse(any(ready for _, ready in bad.values()), "every StatefulSet replaced its pod: one replica each")
        self.helm("rollback", "t", "--wait", "--timeout", "60s", namespace=namespace)
        self.assertTrue(all(ready for _, ready in self.pods(namespace).values()), "without a hand on any pod")

    def test_what_never_changes_changes_by_the_way_that_the_readme_says(self):
        """From a chart without Parallel: the StatefulSets are deleted and leave their pods and claims to the next ones."""
        namespace = self.namespace("orphans")
        self.helm("install", "t", CHART, "--wait", "--timeout", "60s", "--set", "podManagementPolicy=OrderedReady",
                  namespace=namespace)
        before, claims = self.pods(namespace), self.named("persistentvolumeclaims", namespace)
        said = self.helm("upgrade", "t", CHART, "--reset-values", namespace=namespace, expect=1)
        self.assertIn("kubectl -n orphans delete statefulset --cascade=orphan", said)
        sets = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        for name in self.named("statefulsets", namespace, "/apis/apps/v1"):
            self.cluster.ask("DELETE", f"{sets}/{name}", {"propagationPolicy": "Orphan"})
        self.cluster.wait("the StatefulSets to go", lambda: not self.cluster.items(sets))
        self.assertEqual(self.pods(namespace), before, "the same pods, at work")
        self.helm("upgrade", "t", CHART, "--reset-values", "--wait", "--timeout", "60s", namespace=namespace)
        self.assertTrue(all(ready for _, ready in self.pods(namespace).values()))
        self.assertEqual(self.named("persistentvolumeclaims", namespace), claims)
        self.assertEqual({one["spec"]["podManagementPolicy"] for one in self.cluster.items(sets)}, {"Parallel"})

    def test_a_first_install_with_a_bad_image_is_mended_by_an_upgrade(self):
        namespace = self.namespace("first")
        self.helm("install", "t", CHART, "--wait", "--timeout", "10s", *BAD_IMAGE, namespace=namespace, expect=1)
        self.helm("upgrade", "t", CHART, "--reset-values", "--wait", "--timeout", "60s", namespace=namespace)
        self.assertTrue(all(ready for _, ready in self.pods(namespace).values()))

    def test_upgrade_from_the_chart_before(self):
        """From the commit before the one that last changed the chart, or $TUTTI_CHART_BEFORE."""
        namespace = self.namespace("upgrade")
        before = os.environ.get("TUTTI_CHART_BEFORE") or self.git("log", "-2", "--format=%H", "--",
                                                                  "charts/tutti").split()[-1]
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(["git", "-C", repository(), "archive", before, "charts/tutti"], check=True,
                                     stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
            self.helm("install", "t", os.path.join(folder, "charts", "tutti"), "--wait", "--timeout", "60s",
                      namespace=namespace)
        claims = self.named("persistentvolumeclaims", namespace)
        self.helm("upgrade", "t", CHART, "--wait", "--timeout", "60s", namespace=namespace)
        self.assertTrue(all(ready for _, ready in self.pods(namespace).values()))
        self.assertEqual(self.named("persistentvolumeclaims", namespace), claims, "the same books")

    @staticmethod
    def git(*args):
        return subprocess.run(["git", "-C", repository(), *args], check=True, capture_output=True, text=True).stdout

    def test_two_aliases_under_one_umbrella(self):
        namespace = self.namespace("umbrella")
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "charts"))
            shutil.copytree(CHART, os.path.join(folder, "charts", "tutti"))
            with open(os.path.join(folder, "Chart.yaml"), "w", encoding="utf-8") as file:
                yaml.safe_dump({"apiVersion": "v2", "name": "shops", "version": "1.0.0", "dependencies": [
                    {"name": "tutti", "version": "0.x.x", "alias": alias} for alias in ("north", "south")]}, file)
            self.helm("install", "u", folder, "--wait", "--timeout", "60s", namespace=namespace)
        pods = self.pods(namespace)
        self.assertEqual(len(pods), 8, sorted(pods))
        self.assertTrue(all(ready for _, ready in pods.values()))
        services = self.cluster.items(f"/api/v1/namespaces/{namespace}/services")
        for service in services:
            chosen = service["spec"]["selector"].items()
            found = [pod["metadata"]["name"] for pod in self.cluster.items(f"/api/v1/namespaces/{namespace}/pods")
                     if chosen <= pod["metadata"]["labels"].items()]
            self.assertEqual(len(found), 1, f"{service['metadata']['name']} chooses {found}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
