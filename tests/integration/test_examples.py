# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the documentation runs unchanged; tests/examples/README.md has the rules."""

from __future__ import annotations

import datetime
import hashlib
import os
import pathlib
import re
import shutil
import struct
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.examples import pages
from ansible_collections.onetoken.openstack.tests.helpers.controller import ANSIBLE_BIN, Controller, Run
from ansible_collections.onetoken.openstack.tests.helpers.http_server import serving_directory
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.cleanup import left_as_found, set_tags
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import variables_of
from ansible_collections.onetoken.openstack.tests.integration.leaks import Secrets
from openstack.connection import Connection

PAGES = pages.pages(REPOSITORY)
ORIGINALS = [page for page in PAGES if pages.original(page) == page]
MODULES = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("os_*.py"))
REPEATS = pytest.mark.repeats
#: Modules whose examples run at every change; the other modules have tests that do the same.
AT_EVERY_CHANGE = ("os_token_issue",)

#: Readers of these pages have an openrc file and nothing else.
FOR_OPENRC_ONLY = ("docs/guide.md",)
#: These pages take minutes, and do what tests of modules, role, callback and playbooks do.
LONG_PAGES = (
    *("docs/bulk_runs.md", "docs/getting_started.md", "docs/guide.md", "docs/limits.md", "docs/choosing.md"),
    "CONTRIBUTING.md",
)

#: An empty disk, of which Glance checks the header: magic, version, no backing file, 64 KiB clusters, size.
QCOW2 = (b"QFI\xfb" + struct.pack(">IQIIQ", 3, 0, 0, 16, 1 << 30)).ljust(1 << 16, b"\0")
#: The warning of os_retention's examples on a new cloud.
TOO_YOUNG = "[WARNING]: No copy has expired"
#: The servers of a project as hosts, as in docs/bulk_runs.md.
INVENTORY = "plugin: openstack.cloud.openstack\nonly_clouds: [mycloud]\nfail_on_errors: true\n"


@pytest.fixture(scope="module")
def cloud(sandbox) -> Connection:
    return sandbox.administrator()


@pytest.fixture
def web(tmp_path: pathlib.Path) -> t.Iterator[str]:
    """The web server that the examples call mirror.example.org and so on."""
    directory = tmp_path / "web"
    directory.mkdir()
    for name in ("debian-13-generic-amd64.qcow2", "web.qcow2"):
        (directory / name).write_bytes(QCOW2)
    (directory / "v1").mkdir()
    (directory / "v1" / "usage").write_text("{}")
    with serving_directory(directory) as url:
        yield url


@pytest.fixture
def example(reader: Controller, cloud: Connection, web: str, sandbox, issued) -> t.Iterator[t.Callable[..., Run]]:
    """Run an example: it must succeed, show no secret and leave no token; afterwards the cloud is restored."""

    def run(command: t.Callable[..., Run], text: str, *arguments: str, **variables: str) -> Run:
        # Host names below example.org stand for a server of the reader.
        done = command(re.sub(r"https://\w+\.example\.org", web, text), *arguments, **variables)
        assert done.ok, f"{pages.failed_block(done.output)}"
        secrets = Secrets(sandbox.password("demo"), sandbox.password("admin"), *issued.all())
        assert not secrets.in_text(done.output.encode()), "The example shows a secret."
        return done

    with left_as_found(cloud):
        yield run
        wait_for(lambda: reader.tokens() == [], TIMEOUT, "the example has revoked its tokens")


@pytest.fixture
def bare_reader(reader: Controller) -> Controller:
    """A reader with only an openrc file: no clouds.yaml, no Ansible."""
    shutil.rmtree(reader.home / ".config")
    folders = reader.environment["PATH"].split(os.pathsep)
    reader.environment["PATH"] = os.pathsep.join(
        folder for folder in folders if not (pathlib.Path(folder) / "ansible-playbook").exists()
    )
    return reader


@pytest.fixture
def bare_shell(bare_reader: Controller, example: t.Callable[..., Run]) -> t.Callable[[list[pages.Block]], Run]:
    """Run all blocks of a page in one shell of such a reader."""
    return shell_of(bare_reader, example)


@pytest.fixture
def shell(reader: Controller, example: t.Callable[..., Run]) -> t.Callable[[list[pages.Block]], Run]:
    """Run all blocks of a page in one shell."""
    (reader.home / "playbooks").symlink_to(REPOSITORY / "playbooks")
    (reader.home / "openstack.yml").write_text(INVENTORY)
    (reader.home / "web.qcow2").write_bytes(QCOW2)
    installed = reader.home / ".ansible" / "collections" / "ansible_collections" / "onetoken"
    installed.mkdir(parents=True)
    (installed / "openstack").symlink_to(REPOSITORY)
    return shell_of(reader, example)


def shell_of(reader: Controller, example: t.Callable[..., Run]) -> t.Callable[[list[pages.Block]], Run]:
    del reader.environment["ANSIBLE_COLLECTIONS_PATH"]
    reader.environment.update(CHECKOUT=str(REPOSITORY), INSTALLED=str(ANSIBLE_BIN))
    stand_ins = (REPOSITORY / "tests" / "examples" / "stand_ins.sh").read_text()

    def run(blocks: list[pages.Block]) -> Run:
        return example(lambda script: reader.command("bash", "-c", stand_ins + script), pages.script(blocks))

    return run


def long_ones_at_night(names: t.Iterable[str]) -> list[t.Any]:
    return [pytest.param(page, marks=REPEATS) if page in LONG_PAGES else page for page in names]


@pytest.mark.parametrize("page", long_ones_at_night(page for page in ORIGINALS if page not in FOR_OPENRC_ONLY))
def test_the_blocks_of_a_page_work(page, shell):
    shell(PAGES[page])


@pytest.mark.parametrize("page", long_ones_at_night(FOR_OPENRC_ONLY))
def test_the_blocks_of_a_page_work_with_only_an_openrc_file(page, bare_shell):
    bare_shell(PAGES[page])


def for_images(reader: Controller, cloud: Connection) -> None:
    (reader.home / "build").mkdir()
    (reader.home / "build" / "web.qcow2").write_bytes(QCOW2)
    (reader.home / "build" / "database.img").write_bytes(bytes(4096))


def for_retention(reader: Controller, cloud: Connection) -> None:
    copies = {
        "os_server_snapshot": {"servers": ["web-01"]},
        "os_volume_snapshot": {"volumes": ["data-02"]},
        "os_volume_backup": {"volumes": ["data-02"]},
    }
    made = reader.play(
        [
            {f"onetoken.openstack.{module}": {"cloud": "mycloud", "run": f"nightly-{number}", **options}}
            for module, options in copies.items()
            for number in (1, 2)
        ]
    )
    assert made.ok, made.output


def for_server_backups(reader: Controller, cloud: Connection) -> None:
    for name in ("db-01", "web-03"):
        set_tags(cloud, cloud.compute.find_server(name, ignore_missing=False), ["backup"])


def for_shelving(reader: Controller, cloud: Connection) -> None:
    servers = {server.name: server for server in cloud.compute.servers()}
    for name in ("web-09", "web-10"):
        cloud.compute.set_server_metadata(servers[name], environment="development")
    last_night = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    cloud.compute.set_server_metadata(servers["web-08"], onetoken_shelved=f"night-{last_night:%Y-%m-%d}")
    cloud.compute.shelve_server(servers["web-08"])
    cloud.compute.set_server_metadata(servers["web-07"], environment="retired")
    cloud.compute.stop_server(servers["web-07"])
    for name, status in (("web-07", "SHUTOFF"), ("web-08", "SHELVED_OFFLOADED")):
        cloud.compute.wait_for_server(servers[name], status, interval=0.5, wait=TIMEOUT)


def for_volume_copies(reader: Controller, cloud: Connection) -> None:
    for volume in cloud.block_storage.volumes():
        if volume.name in ("data-02", "data-03"):
            cloud.block_storage.set_volume_metadata(volume, backup="daily")


#: What the examples of a module need in addition to the sandbox.
PREPARATIONS: dict[str, t.Callable[[Controller, Connection], None]] = {
    "os_image_create": for_images,
    "os_retention": for_retention,
    "os_server_backup": for_server_backups,
    "os_server_shelve": for_shelving,
    "os_volume_backup": for_volume_copies,
    "os_volume_snapshot": for_volume_copies,
}


def plugin(path: str) -> str:
    return (REPOSITORY / "plugins" / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [name if name in AT_EVERY_CHANGE else pytest.param(name, marks=REPEATS) for name in MODULES]
)
def test_the_examples_of_a_module_work(name, reader, cloud, example):
    examples = pages.examples_of_plugin(plugin(f"modules/{name}.py"))
    PREPARATIONS.get(name, lambda reader, cloud: None)(reader, cloud)
    run = example(reader.play, examples, "-e", f"debian_sha512={hashlib.sha512(QCOW2).hexdigest()}")
    assert "skipped=0" in run.output, run.output
    assert run.output.count("[WARNING]") == run.output.count(TOO_YOUNG), run.output


@REPEATS
def test_the_examples_of_the_lookup_work(reader, example):
    """The last example is for a run in the environment of a session."""
    session = reader.home / ".local" / "state" / "onetoken" / "lookup"

    def call(module: str, arguments: str) -> None:
        done = reader.command("ansible", "localhost", "-m", f"onetoken.openstack.{module}", "-a", arguments)
        assert done.ok, done.output

    call("os_token_issue", f"cloud=mycloud session={session}")
    run = example(reader.play, pages.examples_of_plugin(plugin("lookup/session.py")), **variables_of(session))
    assert "skipped=0" in run.output and "[WARNING]" not in run.output, run.output
    call("os_token_revoke", f"session={session}")


@REPEATS
def test_the_example_of_the_callback_works(reader, example):
    shown = pages.examples_of_plugin(plugin("callback/one_token.py"))
    settings = [line.removeprefix("#").removeprefix(" ") for line in shown.splitlines() if line.startswith("#")]
    (reader.home / "ansible.cfg").write_text("\n".join(settings[1:]))
    playbook = REPOSITORY / "playbooks" / "examples" / "unmodified.yml"
    run = example(reader.run, str(playbook), OS_CLOUD="mycloud")
    assert "one_token: identities: 1, tokens issued: 1, sign-ins served from the session: 1" in run.output
