"""Drives the simulator of Proxmox VE with proxmoxer, a client that others wrote.

Reads the line of JSON that the example pve-simulator prints, and does with the cluster what
people do: clone, set up, start, snapshot, roll back, stop, remove. What it finds has to be what
a client of a real cluster finds. Prints the number of checks that were made.

usage: drive.py PROGRAM
"""

import json
import subprocess
import sys
import time
import warnings

from proxmoxer import ProxmoxAPI
from proxmoxer.core import ResourceException
from proxmoxer.tools import Tasks

checks = 0


def check(found, expected):
    global checks
    checks += 1
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def refused(status, text, call, *args, **kwargs):
    """A call has to be refused with a status and a part of a text."""
    try:
        call(*args, **kwargs)
    except ResourceException as error:
        check(error.status_code, status)
        said = f"{error.status_message} {error.content} {error.errors}"
        check(text in said or said, True)
        return
    raise AssertionError(f"not refused: {status} {text}")


def done(proxmox, upid, expected="OK"):
    """A task has to end in a certain way."""
    status = Tasks.blocking_status(proxmox, upid, timeout=20, polling_interval=0.02)
    check(status["exitstatus"], expected)
    check(Tasks.decode_upid(upid)["upid"], upid)


def clients(place):
    """The same cluster by token and by password."""
    host, port = place["address"].split(":")
    where = {"port": int(port), "verify_ssl": False, "timeout": 10}
    user, _, token = place["token_id"].partition("!")
    yield ProxmoxAPI(
        host, user=user, token_name=token, token_value=place["token_secret"], **where
    )
    yield ProxmoxAPI(host, user=place["user"], password=place["password"], **where)


def machine(proxmox, vmid):
    node = proxmox.nodes("pve1")
    done(proxmox, node.qemu(900).clone.post(newid=vmid, name=f"by-hand-{vmid}", pool="desktops"))
    guest = node.qemu(vmid)
    check(guest.config.get()["name"], f"by-hand-{vmid}")
    guest.config.put(cores=2, memory=1024, tags="one;two", description="a note")
    config = guest.config.get()
    check((config["cores"], config["memory"], config["tags"]), (2, "1024", "one;two"))
    refused(500, "only root can set 'args' config", guest.config.put, args="-vnc :1")
    refused(500, "already exists", node.qemu(900).clone.post, newid=vmid)
    done(proxmox, guest.resize.put(disk="scsi0", size="+2G"))
    check(guest.config.get()["scsi0"].endswith("size=10G"), True)
    done(proxmox, guest.status.start.post())
    done(proxmox, guest.status.start.post(), f"VM {vmid} already running")
    check(guest.status.current.get()["status"], "running")
    time.sleep(0.2)
    addresses = guest.agent("network-get-interfaces").get()["result"][-1]["ip-addresses"]
    check(len(addresses), 2)
    done(proxmox, guest.snapshot.post(snapname="before", vmstate=1))
    check([one["name"] for one in guest.snapshot.get()], ["before", "current"])
    done(proxmox, guest.status.stop.post())
    done(proxmox, guest.snapshot("before").rollback.post())
    check(guest.status.current.get()["status"], "running")
    refused(500, "is running - destroy failed", guest.delete)
    done(proxmox, guest.snapshot("before").delete())
    done(proxmox, guest.status.suspend.post())
    check(guest.status.current.get()["qmpstatus"], "paused")
    done(proxmox, guest.status.resume.post())
    done(proxmox, guest.status.shutdown.post(timeout=5, forceStop=1))
    done(proxmox, guest.delete(purge=1))
    refused(500, "does not exist", guest.config.get)


def container(proxmox, vmid):
    node = proxmox.nodes("pve2")
    done(proxmox, node.lxc(910).clone.post(newid=vmid, hostname=f"by-hand-{vmid}"))
    guest = node.lxc(vmid)
    refused(500, "not running", guest.status.stop.post)
    done(proxmox, guest.status.start.post())
    time.sleep(0.2)
    check([one["name"] for one in guest.interfaces.get()], ["lo", "eth0"])
    done(proxmox, guest.status.stop.post())
    done(proxmox, guest.delete())


def cluster(proxmox):
    check(proxmox.version.get()["version"], "9.1.2")
    names = [guest["name"] for guest in proxmox.cluster.resources.get(type="vm")]
    check(names, ["desktop", "heavy", "small"])
    check(int(proxmox.cluster.nextid.get()), 100)
    check([node["node"] for node in proxmox.nodes.get()], ["pve1", "pve2"])
    refused(501, "not implemented", proxmox("no/such").get)
    refused(400, "unable to parse worker upid", proxmox.nodes("pve1").tasks("x").status.get)
    refused(400, "not defined in schema", proxmox.cluster.resources.get, sort="name")


def main():
    warnings.simplefilter("ignore")
    program = subprocess.Popen(
        [sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        place = json.loads(program.stdout.readline())
        for number, proxmox in enumerate(clients(place)):
            cluster(proxmox)
            machine(proxmox, 6000 + number)
            container(proxmox, 7000 + number)
    finally:
        program.stdin.close()
        program.wait(timeout=10)
    print(f"{checks} checks")


if __name__ == "__main__":
    main()
