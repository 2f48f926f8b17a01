"""A small file system of its own for the orchestrator's data, so that it can be full without harming anybody else."""

import os
import subprocess

BALLAST = "ballast"


class Volume:
    """ext4 on a loop device where that is permitted, else tmpfs, else a plain folder that cannot be filled.

    chaos.sh runs in a mount namespace of its own, so nothing stays mounted when its last process is gone.
    """

    def __init__(self, folder, megabytes=1024):
        self.path = os.path.join(folder, "volume")
        self.image = os.path.join(folder, "volume.ext4")
        os.makedirs(self.path)
        self.kind = self._mount(megabytes)

    def _mount(self, megabytes):
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        if quietly("mkfs.ext4", "-q", "-F", "-m", "0", self.image) and quietly("mount", "-o", "loop", self.image,
                                                                              self.path):
            return "ext4"
        os.remove(self.image)
        if quietly("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.path):
            return "tmpfs"
        return "none"

    @property
    def can_be_full(self):
        return self.kind != "none"

    def fill(self):
        """Every free byte, so that the next block anybody asks for is refused."""
        with open(os.path.join(self.path, BALLAST), "wb", buffering=0) as ballast:
            free = os.statvfs(self.path)
            os.posix_fallocate(ballast.fileno(), 0, max(1, free.f_bavail * free.f_frsize - (1 << 20)))
            ballast.seek(0, os.SEEK_END)
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass

    def relieve(self):
        ballast = os.path.join(self.path, BALLAST)
        if os.path.exists(ballast):
            os.remove(ballast)

    def close(self):
        if self.can_be_full:
            quietly("umount", self.path)


def quietly(*argv):
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
