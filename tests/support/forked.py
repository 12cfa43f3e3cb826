"""The processes that the fork server has made for this one."""

import psutil


def child_processes() -> set[int]:
    """Return the ids of those that run.

    Others below this process come and go, such as those of a database.
    """
    servers = (
        each for each in psutil.Process().children() if "forkserver" in " ".join(each.cmdline())
    )
    return {child.pid for server in servers for child in server.children(recursive=True)}
