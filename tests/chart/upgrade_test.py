"""What an upgrade is refused for, by what the cluster says of StatefulSets and claims that are there.

helm asks a real HTTP server, which knows nothing but those and their claims: whether a whole API server then takes the objects is not seen here.
"""

import contextlib
import http.server
import json
import os
import shutil
import tempfile
import threading
import unittest

import helm
from helm import CHART, NAMESPACE, RELEASE, HelmError

CORE, APPS = "/api/v1", "/apis/apps/v1"


def resources(version, name, kind, **more):
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
        {"name": plural, "singularName": singular.lower(), "namespaced": True, "kind": singular, "verbs": ["get", "list"]}
        for plural, singular in {name: kind, **more}.items()]}


def listing(version, kind, items):
    return {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": items}


class Cluster(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        answer = {
            APPS: resources("apps/v1", "statefulsets", "StatefulSet"),
            f"{APPS}/namespaces/{NAMESPACE}/statefulsets": listing("apps/v1", "StatefulSet", self.server.sets),
            CORE: resources("v1", "persistentvolumeclaims", "PersistentVolumeClaim", configmaps="ConfigMap"),
            **{f"{CORE}/namespaces/{NAMESPACE}/configmaps/{item['metadata']['name']}": item for item in self.server.maps},
            f"{CORE}/namespaces/{NAMESPACE}/persistentvolumeclaims": listing("v1", "PersistentVolumeClaim", self.server.claims),
        }.get(path)
        body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
                                     "message": path, "code": 404}).encode()
        self.server.asked.append(path)
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def cluster(sets, claims, maps):
    """A kubeconfig for a cluster that has these StatefulSets, claims and ConfigMaps, and the paths that were asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.sets, server.claims, server.maps, server.asked = sets, claims, maps, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "it",
                   "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                   "users": [{"name": "it", "user": {}}],
                   "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}, config)
        config.flush()
        try:
            yield config.name, server.asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def installed(*args, release=RELEASE, chart=CHART, **spec):
    """The StatefulSets of a release as a cluster keeps them."""
    items = helm.load(helm.helm("template", release, chart, "--namespace", NAMESPACE, *args))
    sets = [item for item in items if item["kind"] == "StatefulSet"]
    for item in sets:
        item["metadata"].setdefault("annotations", {}).update(
            {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": NAMESPACE})
        item["spec"].update(spec)
    return sets


def claims_of(sets):
    """The claims that the controller makes of their templates."""
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {
                "name": f'{claim["metadata"]["name"]}-{item["metadata"]["name"]}-0', "namespace": NAMESPACE,
                "labels": {**claim["metadata"]["labels"], **item["spec"]["selector"]["matchLabels"]}}}
            for item in sets for claim in item["spec"].get("volumeClaimTemplates") or []]


def upgrade(sets, *args, release=RELEASE, chart=CHART, by=("--is-upgrade",), claims=None, maps=()):
    with cluster(sets, claims_of(sets) if claims is None else claims, maps) as (config, asked):
        text = helm.helm("template", release, chart, "--namespace", NAMESPACE, "--dry-run=server", "--kubeconfig", config,
                         "--kube-context", "it", *by, *args)
    return helm.load(text), asked


class UpgradeTest(unittest.TestCase):
    def refused(self, pattern, sets, *args, **options):
        with self.assertRaisesRegex(HelmError, pattern) as refused:
            upgrade(sets, *args, **options)
        return str(refused.exception)

    def test_nothing_changed(self):
        items, asked = upgrade(installed())
        self.assertEqual(items, helm.objects())
        self.assertIn(f"{APPS}/namespaces/{NAMESPACE}/statefulsets", asked, "the cluster was asked")

    def test_an_install_asks_nobody(self):
        _, asked = upgrade(installed(), "--set", "fullnameOverride=other", by=())
        self.assertEqual(asked, [])

    def test_other_names_would_begin_with_empty_volumes(self):
        for before, after, back in (
                ((), ("--set", "nameOverride=shop"), "fullnameOverride=t-tutti nameOverride=tutti"),
                ((), ("--set", "fullnameOverride=shop"), "fullnameOverride=t-tutti nameOverride=tutti"),
                (("--set", "nameOverride=shop"), (), "fullnameOverride=t-shop nameOverride=shop"),
                (("--set", "fullnameOverride=a,nameOverride=b"), (), "fullnameOverride=a nameOverride=b")):
            with self.subTest(before=before, after=after):
                sets = installed(*before)
                said = self.refused("would give way to", sets, *after)
                self.assertIn(back, said)
                names = back.replace(" ", ",")
                self.assertEqual([item["metadata"]["name"] for item in upgrade(sets, "--set", names)[0]],
                                 [item["metadata"]["name"] for item in helm.objects(*before)], "the way back that it names")
                upgrade(sets, *after, "--set", "allowNewVolumes=true")
                upgrade(sets, *after, "--set", "orchestrator.persistence.enabled=false,"
                        "participants.defaults.persistence.enabled=false")

    def test_the_volumes_can_be_taken_along(self):
        sets = installed()
        taken = "orchestrator.persistence.existingClaim=data-t-tutti-0"
        self.assertIn(taken, self.refused("orchestrator", sets, "--set", "fullnameOverride=shop"))
        args = ["--set", f"fullnameOverride=shop,{taken}"]
        for name in ("payment", "reservation", "token"):
            claim = f"participants.{name}.persistence.existingClaim=data-t-tutti-{name}-0"
            said = self.refused(f"StatefulSet t-tutti-{name} of this release would give way to shop-{name},", sets, *args)
            self.assertIn(claim, said)
            self.assertIn("fullnameOverride=t-tutti nameOverride=tutti.", said)
            args += ["--set", claim]
        upgrade(sets, *args)
        deletes = installed("--set", "orchestrator.persistence.whenDeleted=Delete")
        self.refused("claim data-t-tutti-0 would go with the StatefulSet t-tutti.*whenDeleted=Retain", deletes, *args)
        upgrade(deletes, *args, "--set", "orchestrator.persistence.existingClaim=a-copy-of-it")

    def test_a_name_that_an_older_chart_cut_is_kept_by_saying_it(self):
        release = "orders-of-the-north-western-branch-offices"
        cut = release[:40]
        sets = installed("--set", f"fullnameOverride={cut}", release=release)
        self.assertIn(f"fullnameOverride={cut} nameOverride=tutti", self.refused("would give way to", sets, release=release))
        upgrade(sets, "--set", f"fullnameOverride={cut}", release=release)

    def test_a_selector_never_changes(self):
        sets = installed("--set", "fullnameOverride=shop,nameOverride=b")
        self.refused("never changes: set nameOverride=b", sets, "--set", "fullnameOverride=shop")

    def test_an_older_chart_s_policy_and_another_claim_want_a_new_stateful_set(self):
        every = "t-tutti t-tutti-payment t-tutti-reservation t-tutti-token"
        sets = installed()
        for item in sets:
            del item["spec"]["podManagementPolicy"]
        self.refused(f"kubectl -n {NAMESPACE} delete statefulset --cascade=orphan {every}\n", sets)
        sets = installed(podManagementPolicy="OrderedReady")
        self.refused(f"--cascade=orphan {every}\n", sets)
        upgrade(sets, "--set", "podManagementPolicy=OrderedReady")
        upgrade([], claims=claims_of(sets))  # they are deleted
        own = "orchestrator.persistence.existingClaim=x"
        self.refused("--cascade=orphan t-tutti\n", installed(), "--set", own)
        self.refused("--cascade=orphan t-tutti\n", installed("--set", own))
        self.refused("--cascade=orphan t-tutti\n", installed(), "--set", "orchestrator.persistence.enabled=false")
        upgrade(installed("--set", own), "--set", own)

    def test_a_participant_does_not_vanish_unheard(self):
        external = ("--set-json", 'participants.external={"stock": {"target": "dns:///stock:1"}, "mail": {"target": "dns:///mail:1"}}')
        maps = [item for item in helm.objects(*external) if item["kind"] == "ConfigMap"]
        upgrade(installed(), *external, maps=maps)
        one = ("--set-json", 'participants.external={"stock": {"target": "dns:///stock:2"}, "amil": {"target": "dns:///mail:1"}}')
        self.refused("would lose the participants it has now: mail[.]", installed(), *one, maps=maps)
        said = self.refused("it has now: mail, stock[.]", installed(), maps=maps)
        self.assertIn("allowMissingParticipants=true", said)
        upgrade(installed(), "--set", "allowMissingParticipants=true", maps=maps)
        upgrade(installed(), *external, maps=[item for item in helm.objects() if item["kind"] == "ConfigMap"])
        without = ("--set", "participants.token.enabled=false,test.enabled=false,"
                   "definitions.builtIn.book-ticket=false,definitions.builtIn.book-ticket-impatient=false")
        self.refused("it has now: .*token", installed(*without), *without, maps=maps)

    def test_claims_without_their_stateful_set_are_not_forgotten(self):
        """As when it was deleted to be made anew, and names changed on the way."""
        claims = claims_of(installed())
        renamed = ("--set", "nameOverride=shop")
        said = self.refused("the claim data-t-tutti-0 of this release would give way to t-shop,", [], *renamed, claims=claims)
        self.assertIn("fullnameOverride=t-tutti nameOverride=tutti", said)
        self.assertIn("orchestrator.persistence.existingClaim=data-t-tutti-0", said)
        upgrade([], *renamed, "--set", "allowNewVolumes=true", claims=claims)
        now = installed(*renamed)
        upgrade(now, *renamed, claims=claims + claims_of(now))
        upgrade([], *renamed, claims=claims + claims_of(now))
        token = [item for item in claims if item["metadata"]["name"] == "data-t-tutti-token-0"]
        off = [item for item in now if not item["metadata"]["name"].endswith("-token")]
        self.refused("the claim data-t-tutti-token-0 of this release", off, *renamed, claims=token + claims_of(off))
        another = claims_of(installed(release="another"))
        unlabelled = [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-x-0"}}]
        upgrade([], claims=another + unlabelled)

    def test_what_others_have_is_no_matter(self):
        others = [*installed(release="another"), *installed("--set", "fullnameOverride=z", release="zett")]
        upgrade(others)
        upgrade(others + installed())
        upgrade([{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "bare"}, "spec": {"selector": {}}}])
        self.refused("t-tutti of this release would give way", others + installed(), "--set", "fullnameOverride=shop")

    def test_two_of_this_chart_under_one_parent(self):
        with tempfile.TemporaryDirectory() as folder:
            parent = os.path.join(folder, "shop")
            os.makedirs(parent)
            shutil.copytree(CHART, os.path.join(parent, "charts", "tutti"))
            with open(os.path.join(parent, "Chart.yaml"), "w", encoding="utf-8") as file:
                file.write("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n"
                           "  - {name: tutti, version: 0.1.0}\n  - {name: tutti, version: 0.1.0, alias: tutti-2}\n")
            sets = installed(chart=parent)
            self.assertEqual(len(sets), 8)
            upgrade(sets, chart=parent)
            second = [item for item in sets if item["metadata"]["name"].startswith("t-tutti-2")]
            upgrade([item for item in sets if item not in second], chart=parent)  # the second is new
            upgrade(second, chart=parent)  # the first is new
            self.refused("t-tutti-2 of this release would give way to t-b", sets, "--set", "tutti-2.nameOverride=b", chart=parent)


if __name__ == "__main__":
    unittest.main()
