"""A Kubernetes without machines: etcd, kube-apiserver and kube-controller-manager on the loopback, and a hollow node.

All objects, admission and controllers are the real ones. What a node would do is said, not done: pods whose image can be
pulled are running at once, those of Jobs and tests have succeeded, those that are deleted are gone.
"""

import http.client
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from stack.processes import StackError, tail, wait_until
from stack.tooling import CACHE

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = "hollow"
CONTROLLERS = "*,-node-lifecycle-controller,-taint-eviction-controller"  # the hollow node sends no signs of life
UNPULLABLE = ":no-such-tag"


def version():
    with open(os.path.join(HERE, "go.mod"), encoding="utf-8") as file:
        return re.search(r"k8s.io/kubernetes v(\S+)", file.read())[1]


def commands():
    """Folder of kube-apiserver and kube-controller-manager of go.mod's version; built when it is not there."""
    folder = os.path.join(CACHE, f"kubernetes-{version()}")
    if not os.path.isdir(folder):
        print(f"building Kubernetes {version()}: some 12 minutes on two processors, once", flush=True)
        major, minor, _ = version().split(".")
        stamp = f"-X k8s.io/component-base/version.git"
        flags = f"-s -w {stamp}Version=v{version()} {stamp}Major={major} {stamp}Minor={minor}"
        with tempfile.TemporaryDirectory(dir=CACHE) as built:
            subprocess.run(["go", "build", "-C", HERE, "-ldflags", flags, "-o", f"{built}/bin/",
                            "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"],
                           check=True)
            os.rename(f"{built}/bin", folder)
    return folder


def free_ports(number):
    """Ports that were free a moment ago: none of the three servers tells which one it took."""
    held = [socket.socket() for _ in range(number)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Cluster:
    """with Cluster() as cluster: … ; its processes and files are gone afterwards."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tutti-cluster-")
        self.processes = {}
        self.token = secrets.token_hex()
        self.node = None
        try:
            self.start(commands())
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        if self.node:
            self.node.stop()
        for process in reversed(self.processes.values()):
            process.kill()
            process.wait()
        self.folder.cleanup()

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def run(self, name, *argv):
        with open(self.path(f"{name}.log"), "ab") as log:
            self.processes[name] = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

    def start(self, folder):
        etcd, peers, self.port = free_ports(3)
        self.run("etcd", "etcd", f"--data-dir={self.path('etcd')}", f"--listen-client-urls=http://127.0.0.1:{etcd}",
                 f"--advertise-client-urls=http://127.0.0.1:{etcd}", f"--listen-peer-urls=http://127.0.0.1:{peers}",
                 f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
                 f"--initial-cluster=default=http://127.0.0.1:{peers}", "--unsafe-no-fsync")
        key = self.path("accounts.key")
        tokens = self.path("tokens", f"{self.token},admin,admin,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self.run("apiserver", f"{folder}/kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}",
                 "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.port}",
                 f"--cert-dir={self.path('certificates')}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
                 "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
                 "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-signing-key-file={key}",
                 f"--service-account-key-file={key}")
        self.kubeconfig = self.path("kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                    "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "admin"}}]}))
        self.wait("the API server", lambda: self.ask("GET", "/readyz", raw=True) == "ok", 120)
        self.run("controllers", f"{folder}/kube-controller-manager", f"--kubeconfig={self.kubeconfig}",
                 f"--controllers={CONTROLLERS}", "--leader-elect=false", "--secure-port=0",
                 f"--root-ca-file={self.path('certificates')}/apiserver.crt", f"--service-account-private-key-file={key}",
                 "--allocate-node-cidrs=false")
        self.node = HollowNode(self)
        self.node.start()
        self.wait("the controllers", lambda: self.get("/api/v1/namespaces/default/serviceaccounts/default"), 60)

    def wait(self, what, condition, seconds=60):
        def ready():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise StackError(f"{name} ended with {process.returncode}\n{tail(self.path(f'{name}.log'))}")
            try:
                return condition()
            except OSError:
                return False

        return wait_until(what, ready, seconds, every=0.1)

    def ask(self, method, path, body=None, kind="application/json", raw=False):
        """The answer's object; None when there is no such thing. StackError for all else that is not 2xx."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        try:
            connection.request(method, path, body and json.dumps(body),
                               {"Authorization": f"Bearer {self.token}", "Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if raw:
            return text
        if answer.status in (404, 409):
            return None
        if answer.status // 100 != 2:
            raise StackError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)

    def get(self, path):
        return self.ask("GET", path)

    def items(self, path):
        return self.get(path)["items"]

    def namespace(self, name, **labels):
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        self.wait(f"the account of {name}", lambda: self.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"))


class HollowNode:
    """Says of pods and claims what a node, a scheduler and a storage driver would say."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.live)

    def start(self):
        self.cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})
        self.thread.start()

    def stop(self):
        self.over.set()
        if self.thread.ident:
            self.thread.join()

    def live(self):
        while not self.over.wait(0.2):
            try:
                for claim in self.cluster.items("/api/v1/persistentvolumeclaims"):
                    self.provide(claim)
                for pod in self.cluster.items("/api/v1/pods"):
                    self.attend(pod)
            except (StackError, OSError) as error:  # the next round may find it otherwise: objects come and go
                print(f"the hollow node: {error}", file=sys.stderr)

    def provide(self, claim):
        if claim["spec"].get("volumeName"):
            return
        meta, spec = claim["metadata"], claim["spec"]
        self.cluster.ask("POST", "/api/v1/persistentvolumes", {
            "metadata": {"name": f"v-{meta['uid']}"},
            "spec": {"capacity": spec["resources"]["requests"], "accessModes": spec["accessModes"],
                     "storageClassName": spec.get("storageClassName", ""), "hostPath": {"path": "/nowhere"},
                     "claimRef": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}}})

    def attend(self, pod):
        meta, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if meta.get("deletionTimestamp"):
            self.cluster.ask("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})
        elif not spec.get("nodeName"):
            self.cluster.ask("POST", f"{path}/binding", {"metadata": {"name": meta["name"]},
                                                         "target": {"kind": "Node", "name": NODE}})
        elif pod["status"]["phase"] == "Pending" and "containerStatuses" not in pod["status"]:
            self.cluster.ask("PATCH", f"{path}/status", {"status": self.status(spec, pod["status"])},
                             "application/merge-patch+json")

    def status(self, spec, known):
        now = known["conditions"][0]["lastTransitionTime"]  # the server's clock
        ended = {"terminated": {"exitCode": 0, "startedAt": now, "finishedAt": now}}
        if any(container["image"].endswith(UNPULLABLE) for container in spec["containers"]):
            state, phase = {"waiting": {"reason": "ImagePullBackOff"}}, "Pending"
        elif spec["restartPolicy"] == "Always":
            state, phase = {"running": {"startedAt": now}}, "Running"
        else:
            state, phase = ended, "Succeeded"
        ready = phase == "Running"
        conditions = [{"type": kind, "status": str(ready), "lastTransitionTime": now}
                      for kind in ("Ready", "ContainersReady")]
        return {"phase": phase, "conditions": known["conditions"] + conditions, "podIP": "10.0.0.1", "startTime": now,
                "initContainerStatuses": [described(container, True, ended) for container in spec.get("initContainers", [])],
                "containerStatuses": [described(container, ready, state) for container in spec["containers"]]}


def described(container, ready, state):
    return {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0, "ready": ready,
            "started": ready, "state": state}
