"""A participant that listens on TLS and serves nothing, for what certificates do."""

import os
import subprocess
from concurrent import futures

import grpc


class Sealed:
    """with Sealed(folder) as sealed: … ; its CA, which is its certificate, is the file `ca`."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = os.path.join(folder, "sealed-ca.pem")
        certificate, key = self.make("sealed", days=365)
        with open(self.ca, "wb") as file:
            file.write(certificate)
        self.server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
        self.port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, error, trace):
        self.server.stop(None).wait()

    def make(self, name, days):
        """A certificate for localhost and its key."""
        paths = [os.path.join(self.folder, f"{name}.{kind}") for kind in ("crt", "key")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", paths[1], "-out",
                        paths[0]], check=True, capture_output=True)
        contents = []
        for path in paths:
            with open(path, "rb") as file:
                contents.append(file.read())
        return contents

    def settings(self):
        """For Stack's `foreign`."""
        return f'{{target: "localhost:{self.port}", tls: {{ca_file: "{self.ca}"}}}}'
