"""What schemathesis does around each request: it logs in, and finds out what is there.

Requests that fit the description would mostly be answered with 404 or 401 where ids and
passwords are made up. So every other one of them is given what is really there: an account,
an instance in the right state, the present password, a code of the authenticator.

Counts what was answered, for schemathesis_count.py.
"""

import atexit
import base64
import hashlib
import hmac
import json
import os
import random
import re
import socket
import struct
import time

import requests
import schemathesis

BASE = os.environ["DAAS_URL"]
PASSWORD = os.environ["DAAS_ADMIN_PASSWORD"]
BY_TOKEN = os.environ["DAAS_WAY"] == "token"
HAS_DESKTOPS = os.environ.get("DAAS_DESKTOPS") != "no"
COUNTS = os.environ["DAAS_COUNTS"]
API = "/api/v1"

COOKIE = "daas_session"
CSRF = "X-CSRF-Token"
SCOPES = [
    "apps_read",
    "instances_read",
    "instances_write",
    "users_read",
    "users_write",
    "audit_read",
    "hosts_read",
    "hosts_write",
]
NO_LIMITS = dict.fromkeys(["instances", "cpu_millis", "memory_mib", "disk_mib", "hours_week"])

# The same each time, and another for each run, so that names are not used twice.
chance = random.Random(os.path.basename(COUNTS))
http = requests.Session()
http.trust_env = False
counts = {}
# Cookies and tokens that were given out.
issued = set()


send = requests.adapters.HTTPAdapter.send


def send_and_leave(self, request, **kwargs):
    """After 101 a connection speaks WebSocket, and no other request may go over it."""
    response = send(self, request, **kwargs)
    if response.status_code == 101:
        self.close()
    return response


requests.adapters.HTTPAdapter.send = send_and_leave


def unique(kind):
    return f"{kind} {chance.getrandbits(64):x}"


def address():
    """One that has not failed to log in yet."""
    return f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


class Person:
    """Somebody who is logged in."""

    def __init__(self, name, password):
        self.name, self.password, self.good, self.totp = name, password, True, None
        body = {"username": name, "password": password}
        headers = {"Origin": BASE, "X-Forwarded-For": address()}
        answer = http.post(f"{BASE}{API}/session", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        self.cookie = answer.cookies[COOKIE]
        http.cookies.clear()
        self.csrf = answer.json()["csrf_token"]
        self.id = answer.json()["user"]["id"]
        self.token = None
        issued.update((self.cookie, self.csrf))

    def ask(self, method, path, body=None):
        headers = {"Origin": BASE, CSRF: self.csrf, "Cookie": f"{COOKIE}={self.cookie}"}
        headers["X-Forwarded-For"] = address()
        answer = http.request(method, f"{BASE}{API}{path}", json=body, headers=headers)
        http.cookies.clear()
        return answer

    def get(self, path):
        answer = self.ask("GET", path)
        assert answer.ok, f"GET {path}: {answer.text}"
        return answer.json()

    def make(self, path, body=None, method="POST"):
        answer = self.ask(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def bearer(self):
        if self.token is None:
            body = {"name": "all", "scopes": SCOPES, "expires_in_days": 1}
            self.token = self.make("/tokens", body)["token"]
            issued.add(f"Bearer {self.token}")
        return self.token


class People:
    """Whoever the requests are made by."""

    def __init__(self):
        self.keeper = Person("admin", PASSWORD)
        self.kept = {self.keeper.id}
        self.passing = None

    def admin(self):
        """Somebody who may do everything and whom no request changes."""
        return self.keeper

    def other_admin(self):
        """Another such, where the one before has been put into groups with little quotas."""
        name = unique("admin")
        body = {"name": name, "role": "admin", "password": PASSWORD}
        self.keeper.make("/users", body)
        self.keeper = Person(name, PASSWORD)
        self.kept.add(self.keeper.id)

    def passer_by(self):
        """Somebody whose password, sessions and tokens may change."""
        if self.passing is None or not self.passing.good:
            name, password = unique("passer-by"), "correct horse"
            body = {"name": name, "role": "admin", "password": password}
            self.keeper.make("/users", body)
            self.passing = Person(name, password)
        return self.passing


people = People()


def user():
    return people.admin().make("/users", {"name": unique("user"), "role": "user"})["user"]["id"]


def group():
    return people.admin().make("/groups", {"name": unique("group")})["id"]


def app():
    items = people.admin().get("/apps")["items"]
    return next(item["id"] for item in items if item["image_ready"] or not HAS_DESKTOPS)


def launch():
    body = {"app_id": app()}
    answer = people.admin().ask("POST", "/instances", body)
    if answer.status_code == 409:
        for item in people.admin().get("/apps")["items"]:
            people.admin().make(f"/apps/{item['id']}/quota", NO_LIMITS, "PUT")
        people.other_admin()
        answer = people.admin().ask("POST", "/instances", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def wait_for(id, state):
    for _ in range(500):
        found = people.admin().get(f"/instances/{id}")["state"]
        if found == state:
            return
        time.sleep(0.01)
    raise AssertionError(f"{id} is {found}, not {state}")


def instance(state="running"):
    id = launch()
    wait_for(id, "running")
    action = {"running": None, "suspended": "suspend", "stopped": "stop"}[state]
    if action:
        people.admin().make(f"/instances/{id}/{action}")
        wait_for(id, state)
    return id


def kept():
    """An instance that is stopped, and of which a state is kept."""
    id = instance("stopped")
    people.admin().make(f"/instances/{id}/snapshots", {"name": "before"})
    return id


def host():
    return people.admin().get("/hosts")["items"][0]["name"]


def ticket():
    # Whoever launched it may be another one than before.
    path = f"/instances/{instance()}/tunnel"
    return people.admin().make(path)["ticket"]


open_tunnels = []


def live_session():
    """The id of a tunnel that is open."""
    taken = ticket()
    admin = people.admin()
    host = BASE.removeprefix("http://")
    name, port = host.rsplit(":", 1)
    stream = socket.create_connection((name, int(port)), timeout=5)
    open_tunnels.append(stream)
    lines = [
        f"GET {API}/tunnel?ticket={taken} HTTP/1.1",
        f"Host: {host}",
        f"Origin: {BASE}",
        f"Cookie: {COOKIE}={admin.cookie}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: guacamole",
    ]
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in stream.recv(4096)
    for _ in range(500):
        items = admin.get("/sessions")["items"]
        if items:
            return items[-1]["id"]
        time.sleep(0.01)
    raise AssertionError("no tunnel is open")


def totp_code(secret):
    """By RFC 6238."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    number = struct.unpack_from(">I", digest, digest[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def begin_totp():
    person = people.passer_by()
    answer = person.ask("POST", "/profile/totp", {"password": person.password})
    return totp_code(answer.json()["secret"]) if answer.ok else "000000"


def have_totp():
    code = begin_totp()
    people.passer_by().ask("POST", "/profile/totp/confirm", {"code": code})


def invitation():
    return people.admin().make(f"/users/{user()}/invitation")["token"]


def own_session():
    person = people.passer_by()
    if chance.random() < 0.5:
        return person.get("/profile/sessions")["items"][0]["id"]
    Person(person.name, person.password)
    items = person.get("/profile/sessions")["items"]
    return next(item["id"] for item in items if not item["current"])


def own_token():
    body = {"name": "mine", "scopes": ["apps_read"], "expires_in_days": 1}
    return people.passer_by().make("/tokens", body)["id"]


def set_path(case, value, name="id"):
    case.path_parameters[name] = value


def set_body(case, **values):
    if isinstance(case.body, dict):
        case.body.update(values)


def log_in_rightly(case):
    set_body(case, username=people.passer_by().name, password=people.passer_by().password)
    case.body.pop("totp", None)


def rules_about_apps(case):
    for rule in case.body.get("items", []):
        if rule.get("app_id"):
            rule["app_id"] = app()


# What an operation needs to be there, by its id.
NEEDS = {
    "logIn": log_in_rightly,
    "acceptInvitation": lambda case: set_body(case, token=invitation()),
    "changePassword": lambda case: set_body(case, current=people.passer_by().password),
    "startTotp": lambda case: set_body(case, password=people.passer_by().password),
    "confirmTotp": lambda case: set_body(case, code=begin_totp()),
    "disableTotp": lambda case: (
        have_totp(),
        set_body(case, password=people.passer_by().password),
    ),
    "endOwnSession": lambda case: set_path(case, own_session()),
    "deleteToken": lambda case: set_path(case, own_token()),
    "setAppQuota": lambda case: set_path(case, app()),
    "launchInstance": lambda case: set_body(case, app_id=app()),
    "showInstance": lambda case: set_path(case, instance()),
    "deleteInstance": lambda case: set_path(case, instance()),
    "startInstance": lambda case: set_path(case, instance("stopped")),
    "stopInstance": lambda case: set_path(case, instance()),
    "suspendInstance": lambda case: set_path(case, instance()),
    "resumeInstance": lambda case: set_path(case, instance("suspended")),
    "createTicket": lambda case: set_path(case, instance()),
    "showTimeline": lambda case: set_path(case, instance()),
    "listSnapshots": lambda case: set_path(case, instance()),
    "takeSnapshot": lambda case: set_path(case, instance()),
    "removeSnapshot": lambda case: set_path(case, instance()),
    "rollBack": lambda case: (set_path(case, kept()), set_path(case, "before", "name")),
    "extendInstance": lambda case: set_path(case, instance()),
    # Nothing could be launched any more on the one host if it were emptied.
    "changeHost": lambda case: (set_path(case, host()), set_body(case, drained=False)),
    "openTunnel": lambda case: case.query.update(ticket=ticket()),
    "endLiveSession": lambda case: set_path(case, live_session()),
    "listInstances": lambda case: case.query.pop("cursor", None),
}
OF_DESKTOPS = {
    "showInstance",
    "deleteInstance",
    "startInstance",
    "stopInstance",
    "suspendInstance",
    "resumeInstance",
    "createTicket",
    "showTimeline",
    "listSnapshots",
    "takeSnapshot",
    "removeSnapshot",
    "rollBack",
    "extendInstance",
    "openTunnel",
    "endLiveSession",
}
# These need somebody whose account may change.
ONES_OWN = {
    "logIn",
    "logOut",
    "changePassword",
    "startTotp",
    "confirmTotp",
    "disableTotp",
    "endOtherSessions",
    "endOwnSession",
    "createToken",
    "deleteToken",
    "streamEvents",
}
# After these somebody new is needed.
ENDS = {"logOut", "changePassword", "startTotp", "confirmTotp", "disableTotp", "endOwnSession"}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


def needs_of(case):
    id, path = operation_id(case), case.operation.path
    if id in OF_DESKTOPS and not HAS_DESKTOPS:
        return
    if id in NEEDS:
        NEEDS[id](case)
    elif path.startswith(f"{API}/users/{{id}}"):
        set_path(case, user())
    elif path.startswith(f"{API}/groups/{{id}}"):
        set_path(case, group())
    body = case.body if isinstance(case.body, dict) else {}
    if body.get("group_ids"):
        set_body(case, group_ids=[group()])
    if body.get("user_ids"):
        set_body(case, user_ids=[user()])
    if path.endswith("/rules"):
        rules_about_apps(case)


@schemathesis.hook
def before_process_path(context, path, methods):
    """Programs cannot use what is for sessions only."""
    if BY_TOKEN:
        for method in list(methods):
            if not methods[method]["x-policy"].startswith("api"):
                del methods[method]


@schemathesis.auth(refresh_interval=None)
class Auth:
    def get(self, case, context):
        return people.passer_by() if operation_id(case) in ONES_OWN else people.admin()

    def set(self, case, person, context):
        if BY_TOKEN:
            case.headers["Authorization"] = f"Bearer {person.bearer()}"
        else:
            case.cookies[COOKIE] = person.cookie
            case.headers[CSRF] = person.csrf


def refresh(case):
    """Credentials may be older than the change that ended them. Those that were left out or
    made up are left as they are."""
    person = Auth().get(case, None)
    for values, name, value in (
        (case.cookies, COOKIE, person.cookie),
        (case.headers, CSRF, person.csrf),
        (case.headers, "Authorization", BY_TOKEN and f"Bearer {person.bearer()}"),
    ):
        if values and values.get(name) in issued:
            values[name] = value


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.method != "GET" or operation_id(case) == "openTunnel":
        case.headers.setdefault("Origin", BASE)
    if operation_id(case) in ONES_OWN | {"acceptInvitation"}:
        case.headers["X-Forwarded-For"] = address()
    if is_positive(case) and case.method == case.operation.method.upper():
        if chance.random() < 0.5:
            needs_of(case)
    # Nobody may change those who have to come again.
    if case.method != "GET" and (case.path_parameters or {}).get("id") in people.kept:
        set_path(case, user())
    refresh(case)


@schemathesis.hook
def after_call(context, case, response):
    id = operation_id(case)
    if case.method != case.operation.method.upper():
        id = "another method"
    of = counts.setdefault(id, {})
    of[str(response.status_code)] = of.get(str(response.status_code), 0) + 1
    passing = people.passing
    if passing and id in ONES_OWN:
        ended = response.status_code < 300 and id in ENDS
        if ended or response.status_code in (401, 429):
            passing.good = False


@atexit.register
def write_counts():
    with open(COUNTS, "w", encoding="utf-8") as file:
        json.dump(counts, file)
