"""A real Alertmanager with the AlertmanagerConfig that the chart makes, and a server that plays Slack."""

import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import threading

import yaml

from prometheus import tool
from stack.processes import StackError, tail, wait_until


class Slack:
    """with Slack() as slack: … ; what was posted is in `messages`, what was turned away while it was `down` is counted."""

    def __enter__(self):
        slack = self
        self.messages, self.turned_away, self.down = [], 0, False

        class Webhook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if slack.down:
                    slack.turned_away += 1
                else:
                    slack.messages.append(json.loads(body))
                self.send_response(503 if slack.down else 200)
                self.end_headers()
                self.wfile.write(b"service_unavailable" if slack.down else b"ok")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/services/T0/B0/secret"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def snake(name):
    return re.sub(r"(?<=[a-z])([A-Z]+)", lambda found: f"_{found[1].lower()}", name)


def as_the_operator_writes_it(made, webhook):
    """An AlertmanagerConfig object → Alertmanager's own configuration: other names, the Secret's content, its namespace."""
    own = f'namespace="{made["metadata"]["namespace"]}"'

    def convert(value):
        if isinstance(value, list):
            return [convert(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"name", "matchType", "value"}:
            return f'{value["name"]}{value["matchType"]}"{value["value"]}"'
        return {snake(key): webhook if key == "apiURL" else convert(item) for key, item in value.items()}

    spec = convert(made["spec"])
    spec["route"]["matchers"].append(own)
    for rule in spec["inhibit_rules"]:
        for side in ("source", "target"):
            rule[f"{side}_matchers"] = [*rule.pop(f"{side}_match"), own]
    return {"route": {"receiver": "nobody", "routes": [spec["route"]]}, "inhibit_rules": spec["inhibit_rules"],
            "receivers": [{"name": "nobody"}, *spec["receivers"]]}


@contextlib.contextmanager
def alertmanager(folder, config):
    """Its address while it runs."""
    program, checker = tool("alertmanager"), tool("amtool")
    os.makedirs(folder)
    path, log_path = os.path.join(folder, "alertmanager.yaml"), os.path.join(folder, "alertmanager.log")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file)
    subprocess.run([checker, "check-config", path], check=True, stdout=subprocess.DEVNULL)
    with open(log_path, "wb") as log:
        popen = subprocess.Popen(
            [program, f"--config.file={path}", f"--storage.path={folder}/data", "--web.listen-address=127.0.0.1:0",
             "--cluster.listen-address="], stdout=log, stderr=log, start_new_session=True)

    def bound():
        if popen.poll() is not None:
            raise StackError(f"Alertmanager ended with status {popen.returncode}\n{tail(log_path)}")
        with open(log_path, encoding="utf-8") as file:
            return re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', file.read())

    try:
        yield wait_until("Alertmanager to listen", bound)[1]
    finally:
        popen.send_signal(signal.SIGKILL)
        popen.wait()
