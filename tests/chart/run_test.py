"""The rendered command lines, for real: each container's command, flags, environment and files as the chart renders them,
started as processes on loopback until their own probes pass; then the Job, the test pod and the grpcurl lines of the notes.

usage: run_test.py BUILD_DIR
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import grpc

from stack.processes import StackError, tail, wait_until
from stack.tooling import tool

import helm
from helm import NAMESPACE, objects, of_kind, pods

BUILD_DIR = os.path.abspath(sys.argv.pop()) if len(sys.argv) > 1 else ""
LOOPBACK = ("--set", "listenHost=127.0.0.1")
SERVING = b"\x08\x01"


class Cluster:
    """What of a cluster a process notices: files where they are mounted, addresses that resolve, probes, signals."""

    def __init__(self, folder, values=LOOPBACK, secrets=None):
        self.folder = folder
        self.rendered = objects(*values)
        self.configs = {name: item["data"] for name, item in of_kind(self.rendered, "ConfigMap").items()}
        self.secrets = secrets or {}
        self.servers = {}
        self.addresses = {}  # as pods know them → where they really are
        self.processes = []

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def files(self, volume):
        """Path inside the volume → text."""
        if "configMap" in volume:
            return self.configs[volume["configMap"]["name"]]
        if "secret" in volume:
            source = volume["secret"]
            data = self.secrets[source.get("secretName") or source["name"]]
            if "items" in source:
                return {item["path"]: data[item["key"]] for item in source["items"]}
            return data
        found = {}
        for source in volume.get("projected", {}).get("sources", []):
            found.update(self.files(source))
        return found

    def mount(self, name, spec):
        """Mount path → folder of this machine."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        mounts = {}
        for mount in spec["containers"][0].get("volumeMounts", []):
            folder = os.path.join(self.folder, name, mount["name"])
            os.makedirs(folder, exist_ok=True)
            mounts[mount["mountPath"]] = folder
            for path, text in self.files(volumes.get(mount["name"], {})).items():
                os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
                with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                    file.write(self.resolve(text))
        return mounts

    def resolve(self, text):
        for name, address in self.addresses.items():
            text = text.replace(name, address)
        return text

    def start(self, name, spec, extra=(), ports=None):
        container = spec["containers"][0]
        mounts = self.mount(name, spec)

        def here(text):
            for path in sorted(mounts, key=len, reverse=True):
                text = text.replace(path, mounts[path])
            return self.resolve(text)

        argv = [here(word) for word in container["command"] + container.get("args", [])]
        for port, number in (ports or {}).items():
            argv = [word.replace(f"127.0.0.1:{port}", f"127.0.0.1:{number}") for word in argv]
        env = {"PATH": f"{os.path.join(BUILD_DIR, 'bin')}:/usr/bin:/bin"}
        for variable in container.get("env", []):
            env[variable["name"]] = here(variable["value"])
        log = os.path.join(self.folder, f"{name}.log")
        with open(log, "ab") as out:
            process = subprocess.Popen([*argv, *extra], env=env, stdout=out, stderr=out, start_new_session=True)
        process.log = log
        self.processes.append(process)
        return process

    def serve(self, name):
        """Starts a StatefulSet's server, on the ports of its last start, and waits as a kubelet does."""
        spec = of_kind(self.rendered, "StatefulSet")[name]["spec"]["template"]["spec"]
        numbers = {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]}
        former = self.servers.get(name, {}).get("ports", {})
        port_file = os.path.join(self.folder, f"{name}.ports")
        if os.path.exists(port_file):
            os.remove(port_file)
        process = self.start(name, spec, extra=("--port-file", port_file),
                             ports={number: former.get(port, 0) for port, number in numbers.items()})

        def ready():
            if process.poll() is not None:
                raise StackError(f"{name} ended with {process.returncode}\n{tail(process.log, 20)}")
            return os.path.exists(port_file)

        wait_until(f"{name} to serve", ready)
        with open(port_file, encoding="utf-8") as file:
            ports = json.load(file)
        self.servers[name] = {"process": process, "ports": ports, "spec": spec}
        for service, item in of_kind(self.rendered, "Service").items():
            if item["spec"].get("clusterIP") != "None" and service == name:
                at = f'{service}.{NAMESPACE}.svc:{item["spec"]["ports"][0]["port"]}'
                self.addresses[f"dns:///{at}"] = self.addresses[at] = f'127.0.0.1:{ports["grpc"]}'
        return process

    def probe(self, name, probe):
        """Asks what the kubelet would, where it would."""
        server = self.servers[name]
        service = server["spec"]["containers"][0][probe]["grpc"].get("service", "").encode()
        request = b"\x0a" + bytes([len(service)]) + service if service else b""
        with grpc.insecure_channel(f'127.0.0.1:{server["ports"]["health"]}') as channel:
            return channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=10)

    def run(self, name, kind, **fields):
        process = self.start(name, pods(self.rendered)[f"{kind}/{name}"]["spec"], **fields)
        return process, process.wait(60)

    def stop(self, name):
        process = self.servers[name]["process"]
        process.send_signal(signal.SIGTERM)
        return process.wait(self.servers[name]["spec"]["terminationGracePeriodSeconds"])


def write(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


def certificates(folder, *names, authority=None):
    """A CA's folder, and the content of a Secret of type kubernetes.io/tls for services of these names."""
    ca = authority or os.path.join(folder, "ca")
    if not authority:
        os.makedirs(ca)
        openssl(ca, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", "ca.key",
                "-out", "ca.crt", "-days", "2")
    openssl(ca, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={names[0]}", "-keyout", "tls.key",
            "-out", "tls.csr")
    with open(os.path.join(ca, "names"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=" + ",".join(f"DNS:{name}.{NAMESPACE}.svc" for name in names))
    openssl(ca, "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "tls.crt")
    secret = {}
    for name in ("ca.crt", "tls.crt", "tls.key"):
        with open(os.path.join(ca, name), encoding="utf-8") as file:
            secret[name] = file.read()
    return ca, secret


PARTICIPANTS = ("t-tutti-payment", "t-tutti-reservation", "t-tutti-token")
ORCHESTRATOR = "t-tutti"


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-chart-")

    def cluster(self, *values, secrets=None):
        cluster = Cluster(self.folder, (*LOOPBACK, *values), secrets)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(cluster.close)  # runs first
        for name in (*PARTICIPANTS, ORCHESTRATOR):
            cluster.serve(name)
        return cluster

    def expect_success(self, process, status):
        self.assertEqual(status, 0, tail(process.log, 30))

    def test_the_release(self):
        cluster = self.cluster()
        for name in (*PARTICIPANTS, ORCHESTRATOR):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                self.assertEqual(cluster.probe(name, probe), SERVING, f"{name} {probe}")

        # The Job waits for an orchestrator, and then for a participant, that are not there yet.
        self.assertEqual(cluster.stop("t-tutti-token"), 0)
        self.assertEqual(cluster.stop(ORCHESTRATOR), 0)
        job = cluster.start("t-tutti-definitions", pods(cluster.rendered)["Job/t-tutti-definitions"]["spec"])
        wait_until("the Job to have tried", lambda: os.path.getsize(job.log) > 0)
        cluster.serve(ORCHESTRATOR)
        self.assertIsNone(job.poll(), "one participant is missing still")
        cluster.serve("t-tutti-token")
        self.expect_success(job, job.wait(120))
        self.expect_success(*cluster.run("t-tutti-definitions", "Job"))

        self.expect_success(*cluster.run("t-tutti-test", "Pod"))
        self.expect_success(*cluster.run("t-tutti-test", "Pod"))
        self.assertIn("SUCCEEDED", tail(os.path.join(self.folder, "t-tutti-test.log"), 40))
        self.the_notes_lines_work(cluster)
        for name in (ORCHESTRATOR, *PARTICIPANTS):
            self.assertEqual(cluster.stop(name), 0, f"{name} after SIGTERM")

    def the_notes_lines_work(self, cluster, *values, folder=None):
        lines = [line.strip() for line in helm.notes(*LOOPBACK, *values).splitlines()
                 if line.strip().startswith("grpcurl")]
        self.assertGreaterEqual(len(lines), 5)
        answers = ""
        for line in lines:
            words = shlex.split(line.replace("127.0.0.1:7500", cluster.addresses["t-tutti.shop.svc:7500"]))
            done = subprocess.run([tool("grpcurl"), *words[1:]], capture_output=True, text=True, check=False,
                                  cwd=folder)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
            answers += done.stdout
        for expected in ("tutti.v1.SagaService", "book-ticket", "SAGA_STATE_SUCCEEDED", "EVENT_TYPE_SAGA_SUCCEEDED"):
            self.assertIn(expected, answers)

    def test_the_release_over_tls(self):
        """Certificates by the names that the chart documents; clients must show one too."""
        ca, server = certificates(self.folder, "t-tutti", *PARTICIPANTS)
        _, client = certificates(self.folder, "client", authority=ca)
        values = ("--set", "orchestrator.tls.existingSecret=api,orchestrator.tls.clientAuth=true,"
                  "orchestrator.tls.clientSecret=job,participants.defaults.tls.existingSecret=services")
        cluster = self.cluster(*values, secrets={"api": server, "services": server, "job": client})
        for probe in ("readinessProbe", "livenessProbe"):
            self.assertEqual(cluster.probe(ORCHESTRATOR, probe), SERVING, "in plaintext, whatever the API speaks")
        # On this machine the Service's name is an address; the certificate still says the name.
        for name in ("Job/t-tutti-definitions", "Pod/t-tutti-test"):
            pod = pods(cluster.rendered)[name]["spec"]
            pod["containers"][0]["env"].append({"name": "TUTTI_TLS_SERVER_NAME", "value": f"t-tutti.{NAMESPACE}.svc"})
            process = cluster.start(name.split("/")[1], pod)
            self.expect_success(process, process.wait(60))
        self.the_notes_lines_work(cluster, *values, folder=write(os.path.join(self.folder, "mine"), client))

    def test_a_definition_that_is_refused_fails_the_job_with_its_reason(self):
        cluster = self.cluster("--set-string", r"definitions.custom.wrong\.yaml=name: wrong")
        job, status = cluster.run("t-tutti-definitions", "Job")
        self.assertNotIn(status, (0, None))
        self.assertIn("steps", tail(job.log, 20))

    def test_a_saga_that_is_undone_fails_the_test_pod(self):
        cluster = self.cluster()
        self.expect_success(*cluster.run("t-tutti-definitions", "Job"))
        pod = pods(cluster.rendered)["Pod/t-tutti-test"]["spec"]
        args = pod["containers"][0]["args"]
        args[-1] = args[-1].replace("300", "0")
        self.assertNotIn(cluster.start("t-tutti-test", pod).wait(60), (0, None))


if __name__ == "__main__":
    unittest.main()
